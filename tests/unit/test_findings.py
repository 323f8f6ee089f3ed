"""How findings are named and ranked, and how large they are for certain."""

from hypothesis import given
from hypothesis import strategies as st

from explain.record import AuditRecord, Finding, Measure, Section
from explain.record.base import Severity
from tests.helpers.records import audit_record

SEVERITIES: tuple[Severity, ...] = ("critical", "major", "minor")


def finding(
    subject: str, severity: Severity = "major", size: float | None = 0.5, cause: str | None = None
) -> Finding:
    return Finding(
        code="slices.worse",
        subject=subject,
        claim=f"The model is worse on {subject}.",
        severity=severity,
        size=size,
        measure=None,
        cause=cause,
        evidence=(),
        suggestion="Read the errors.",
    )


def ranked(*findings: Finding) -> list[str]:
    section = Section(id="slices", title="Slices", summary="Some.", findings=findings)
    record = audit_record().model_copy(update={"sections": (section,)})
    return [entry.subject for entry in AuditRecord.model_validate(dict(record)).findings]


def test_the_worst_gap_stands_first_and_a_fact_without_a_statistic_last() -> None:
    assert ranked(
        finding("a", size=None), finding("b", size=0.1), finding("c", size=0.9),
        finding("d", "minor", 1.0), finding("e", "critical", 0.01),
    ) == ["e", "c", "b", "a", "d"]  # fmt: skip


def test_what_another_finding_explains_follows_it_and_lifts_it_to_its_rank() -> None:
    caused = finding("effect", "critical", 0.9, cause="slices.worse[cause]")
    other = finding("other", "critical", 0.4)
    assert ranked(finding("cause", "major", 0.3), other, caused) == ["cause", "effect", "other"]
    assert ranked(other, caused) == ["effect", "other"]  # its cause is not in the record


def test_a_finding_of_two_sections_is_listed_once() -> None:
    assert ranked(finding("a"), finding("a"), finding("b", size=0.4)) == ["a", "b"]


@given(
    st.lists(
        st.tuples(st.sampled_from(SEVERITIES), st.floats(0, 1), st.integers(0, 9) | st.none()),
        max_size=8,
    )
)
def test_all_are_ranked_each_cause_before_what_it_explains(
    drawn: list[tuple[Severity, float, int | None]],
) -> None:
    findings = [
        finding(str(i), severity, size, None if j is None or j >= i else f"slices.worse[{j}]")
        for i, (severity, size, j) in enumerate(drawn)
    ]
    order = ranked(*findings)
    assert sorted(order) == [str(i) for i in range(len(findings))]
    for entry in findings:
        if entry.cause is not None:
            cause = entry.cause.removeprefix("slices.worse[").removesuffix("]")
            assert order.index(cause) < order.index(entry.subject)
    free = [entry for entry in findings if not any(e.cause for e in findings)]
    weights = [(SEVERITIES.index(e.severity), -(e.size or 0)) for e in free]
    by_subject = {e.subject: w for e, w in zip(free, weights, strict=True)}
    shown = [by_subject[subject] for subject in order if subject in by_subject]
    assert shown == sorted(shown)


def test_a_finding_is_named_by_its_code_and_what_it_is_about() -> None:
    assert finding("unit = A").id == "slices.worse[unit = A]"
    assert finding("").id == "slices.worse"


@given(st.floats(-1, 1), st.floats(0, 1), st.floats(0, 1), st.floats(-1, 1))
def test_what_is_certain_is_the_distance_of_the_interval(
    value: float, below: float, above: float, bar: float
) -> None:
    measure = Measure(name="gap", value=value, lower=value - below, upper=value + above, n=9)
    inside = value - below <= bar <= value + above
    nearest = min(abs(value - below - bar), abs(value + above - bar))
    assert measure.distance_from(bar) == (0 if inside else nearest)
    assert Measure(name="gap", value=value, n=9).distance_from(bar) == 0
