"""Audit folders, written and read; code of users imports it from here."""

from explain.auditing.archive import (
    bind_criteria,
    read_log,
    read_record,
    write_audit,
    write_into,
)

__all__ = ["bind_criteria", "read_log", "read_record", "write_audit", "write_into"]
