"""An audit in the formats of other tools, from the numbers of the record alone."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Literal, TypeAlias

from explain.record import AuditRecord
from reports import LanguageCode
from reports.exports.coverage import coverage_table
from reports.exports.law import dsa_sheet, ll144_summary
from reports.exports.mlflow import write_mlflow
from reports.exports.model_card import model_card
from reports.exports.results import junit, sarif
from reports.exports.spreadsheets import write_csv, write_xlsx
from reports.languages import speaking
from reports.markdown import summary

__all__ = ["ExportFormat", "write_export"]

ExportFormat: TypeAlias = Literal[
    "csv",
    "xlsx",
    "markdown",
    "junit",
    "sarif",
    "model-card",
    "mlflow",
    "coverage-table",
    "ll144",
    "dsa",
]


_TEXTS: Final[Mapping[str, Callable[[AuditRecord], str]]] = {
    "markdown": summary,
    "junit": junit,
    "sarif": sarif,
    "model-card": model_card,
    "coverage-table": coverage_table,
    "ll144": ll144_summary,
    "dsa": dsa_sheet,
}

_WRITERS: Final[Mapping[str, Callable[[AuditRecord, Path], None]]] = {
    "csv": write_csv,
    "xlsx": write_xlsx,
    "mlflow": write_mlflow,
}


FOR_PROGRAMS: Final = frozenset({"csv", "junit", "sarif", "mlflow"})
"""Formats that programs read, whose names and sentences are English in every language."""


def write_export(
    record: AuditRecord, to: ExportFormat, out: Path, language: LanguageCode = "en"
) -> None:
    """Write an audit in the format of another tool.

    ``csv`` and ``mlflow`` write a folder, all others a file. What people read (``markdown``,
    ``xlsx``, ``model-card``, ``coverage-table``, ``ll144``, ``dsa``) is in `language`; what
    programs read is in English.

    Raises
    ------
    ConfigurationError
        If a package for the format is missing, or there is no such language.
    OSError
        If the place cannot be written.
    """
    from explain.record.files import write_whole

    with speaking("en" if to in FOR_PROGRAMS else language):
        if to in _TEXTS:
            write_whole(out, _TEXTS[to](record))
        else:
            _WRITERS[to](record, out)
