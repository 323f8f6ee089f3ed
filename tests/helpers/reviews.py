"""Reviews made by hand."""

from datetime import UTC, datetime, timedelta

from explain.record import AuditRecord, InstanceRecord, ReviewLine, ReviewVerdict, text_sha256
from tests.helpers.records import audit_record

__all__ = ["REPORT", "instances", "record_of", "review"]

REPORT = "0" * 64
"""Stands for the hash of a report where nothing asks for it."""

START = datetime(2026, 11, 28, 9, 0, tzinfo=UTC)


def instances(n: int, stratum: str | None = "random", wrong: int = 0) -> list[InstanceRecord]:
    """Return instances of two labels; the model contradicts the labels of the first `wrong`."""
    return [
        InstanceRecord(
            id=f"i{number}",
            row=number + 1,
            parts=(f"text {number}",),
            labels=("negative" if number < wrong else "positive",),
            predicted="positive",
            probability=0.9,
            scores=(0.1, 0.9),
            stratum=stratum,
        )
        for number in range(n)
    ]


def record_of(shown: list[InstanceRecord]) -> AuditRecord:
    """Return a record of some instances, without sections."""
    return audit_record().model_copy(
        update={"instances": tuple(shown), "sections": (), "criteria": (), "truncation": None}
    )


def review(
    instance: InstanceRecord,
    verdict: ReviewVerdict = "correct",
    *,
    reviewer: str = "Ana",
    label: str | None = None,
    report: str = REPORT,
    minutes: int = 0,
) -> ReviewLine:
    """Return what a reviewer says of an instance, some minutes after they began."""
    return ReviewLine(
        instance=instance.id,
        text_sha256=text_sha256(instance.parts),
        report_sha256=report,
        reviewer=reviewer,
        at=START + timedelta(minutes=minutes),
        verdict=verdict,
        label=label,
        blinded=label is not None,
    )
