"""Criteria are frozen before anything is scored, and judged by intervals, never by estimates."""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import explain
from explain.adapters import FunctionClassifier
from explain.auditing.archive import bind_criteria, write_audit
from explain.auditing.criteria import Criterion, FrozenCriteria, check_metrics, judge
from explain.checks import CHECKS, AuditContext, Check
from explain.errors import ConfigurationError, RecordError
from explain.record import (
    IntervalsFigure,
    JudgedCriterion,
    LogEntry,
    Measure,
    MetricSpec,
    Section,
    Table,
)
from explain.statistics.adjustments import holm
from explain.statistics.bootstrap import bootstrap
from explain.statistics.intervals import clustered_proportion, mean, proportion

DAY = date(2026, 11, 24)

QUALITY = MetricSpec(id="quality.score", title="quality", low=None, high=None)
SHARE_OF = MetricSpec(id="quality.share", title="share of {label}", low=None, high=None)


@dataclass(frozen=True, slots=True)
class Quality:
    """A check that measures what a test wants it to."""

    id: ClassVar[str] = "quality"
    title: ClassVar[str] = "Quality"
    metrics: ClassVar[tuple[MetricSpec, ...]] = (QUALITY, SHARE_OF)

    def run(self, context: AuditContext) -> Section:
        """Return a section about every row."""
        n = len(context.instances)
        return section(proportion("quality", n, n))


CHECK: Check = Quality()


def section(*measures: Measure, **more: Any) -> Section:
    whole = Section(id="quality", title="Quality", summary="", measures=measures, **more)
    return whole.with_metrics(CHECK.metrics)


def share_of(number: int) -> str:
    """Return the name of one of several measures."""
    return SHARE_OF.name(label=str(number))


def criteria_for(n: int, at_least: float, gating: bool = True) -> list[Criterion]:
    """Return a criterion for each of those measures."""
    return [
        Criterion(metric=SHARE_OF.id, of={"label": str(i)}, at_least=at_least, gating=gating)
        for i in range(n)
    ]


def judged(measure: Measure, **criterion_fields: Any) -> JudgedCriterion:
    criterion = Criterion(metric=QUALITY.id, slice=measure.slice, **criterion_fields)
    return judge([criterion], [section(measure)], [CHECK])[0]


# ── Verdicts ──────────────────────────────────────────────────────────────────────────────────────

finite = st.floats(-1e6, 1e6)
intervals = st.tuples(finite, finite, finite).map(
    lambda ends: Measure(
        name="quality",
        lower=sorted(ends)[0],
        value=sorted(ends)[1],
        upper=sorted(ends)[2],
        n=10,
        method="Student t",
        unit="coefficient",
    )
)
shares = st.integers(1, 500).flatmap(
    lambda n: st.integers(0, n).map(lambda hits: proportion("quality", hits, n))
)
measures = intervals | shares
thresholds = finite | st.floats(0, 1)


@given(measures, thresholds, st.booleans())
def test_a_verdict_is_the_side_on_which_the_whole_interval_lies(
    measure: Measure, threshold: float, gating: bool
) -> None:
    assert measure.lower is not None
    assert measure.upper is not None
    least = judged(measure, at_least=threshold, gating=gating)
    most = judged(measure, at_most=threshold, gating=gating)
    assert (least.verdict == "pass") == (measure.lower >= threshold)
    assert (least.verdict == "fail") == (measure.upper < threshold)
    assert (most.verdict == "pass") == (measure.upper <= threshold)
    assert (most.verdict == "fail") == (measure.lower > threshold)


@given(measures, thresholds, thresholds, st.booleans())
def test_a_higher_threshold_is_never_easier_to_reach(
    measure: Measure, one: float, other: float, gating: bool
) -> None:
    order = ("fail", "inconclusive", "pass")
    low, high = sorted((one, other))
    ranks = [order.index(judged(measure, at_least=t, gating=gating).verdict) for t in (low, high)]
    assert ranks[0] >= ranks[1]
    ranks = [order.index(judged(measure, at_most=t, gating=gating).verdict) for t in (low, high)]
    assert ranks[0] <= ranks[1]


@given(st.lists(st.tuples(measures, st.floats(0, 1)), min_size=1, max_size=8))
def test_more_gating_criteria_take_verdicts_back_and_never_turn_or_give_one(
    asked: list[tuple[Measure, float]],
) -> None:
    named = [
        measure.model_copy(update={"name": share_of(number)})
        for number, (measure, _) in enumerate(asked)
    ]
    criteria = [
        Criterion(metric=SHARE_OF.id, of=m.of, at_least=t, gating=True)
        for m, (_, t) in zip(named, asked, strict=True)
    ]
    together = judge(criteria, [section(*named)], [CHECK])
    alone = [judged(measure, at_least=t, gating=True) for measure, t in asked]
    for one, other in zip(together, alone, strict=True):
        assert one.verdict in (other.verdict, "inconclusive")
        assert one.p_value == other.p_value
        assert one.p_value is None or one.p_value <= (one.adjusted_p_value or 0)


def test_the_score_test_is_the_one_that_wilsons_interval_inverts() -> None:
    found = judged(proportion("quality", 764, 872), at_least=0.85, gating=True)
    assert found.p_value == pytest.approx(0.0310, abs=5e-4)
    lower = found.measure.lower if found.measure else None
    assert judged(proportion("quality", 764, 872), at_least=lower).p_value == pytest.approx(0.05)


@pytest.mark.parametrize(
    "measure",
    [
        clustered_proportion("quality", np.arange(200) % 5 > 0, np.arange(200) // 4),
        mean("quality", np.linspace(0.4, 1.2, 50).tolist(), "coefficient"),
        bootstrap("quality", lambda r: (r % 7 > 1).mean(-1), 100, 0, "coefficient"),
    ],
    ids=["clustered", "Student", "BCa"],
)
def test_the_p_value_of_any_other_interval_is_05_at_both_of_its_ends(measure: Measure) -> None:
    assert measure.method != "Wilson"
    for end in (measure.lower, measure.upper):
        assert judged(measure, at_least=end).p_value == pytest.approx(0.05)
    assert judged(measure, at_least=measure.value).p_value == pytest.approx(1)


def test_a_gating_verdict_that_chance_explains_is_taken_back_and_says_so() -> None:
    measured = section(*(proportion(share_of(number), 450, 500) for number in range(5)))
    criteria = criteria_for(5, 0.87)
    (alone,) = judge(criteria[:1], [measured], [CHECK])
    assert (alone.verdict, alone.adjusted_p_value) == ("pass", alone.p_value)
    together = judge(criteria, [measured], [CHECK])
    assert {found.verdict for found in together} == {"inconclusive"}
    assert together[0].reason == (
        "the whole 95 % interval lies at or above 0.87, but no longer once p is adjusted for 5 "
        "gating criteria (0.23 instead of 0.046; at most 0.05 is required); about 840 rows "
        "would settle it if the estimate stayed the same"
    )


@pytest.mark.parametrize(("hits", "n"), [(176, 200), (430, 500), (83, 100), (9, 12)])
def test_the_rows_that_would_settle_a_criterion_do_and_a_tenth_less_do_not(
    hits: int, n: int
) -> None:
    """The estimate stays as near to what it was as so many rows can give."""
    (asked,) = criteria_for(1, 0.85, gating=False)

    def reason_of(rows: int) -> JudgedCriterion:
        measured = section(proportion(share_of(0), round(hits / n * rows), rows))
        return judge([asked], [measured], [CHECK])[0]

    now = reason_of(n)
    assert now.verdict == "inconclusive"
    (stated,) = re.findall(r"about ([\d,]+) rows would settle it", now.reason)
    assert reason_of(round(1.05 * int(stated.replace(",", "")))).verdict == (
        "pass" if hits / n > 0.85 else "fail"
    )
    assert reason_of(round(0.8 * int(stated.replace(",", "")))).verdict == "inconclusive"


def test_criteria_that_are_not_gating_are_not_adjusted_and_do_not_count() -> None:
    measured = section(*(proportion(share_of(number), 450, 500) for number in range(5)))
    criteria = [*criteria_for(5, 0.87)[:1], *criteria_for(5, 0.87, gating=False)[1:]]
    found = judge(criteria, [measured], [CHECK])
    assert {one.verdict for one in found} == {"pass"}
    assert [one.adjusted_p_value is None for one in found] == [False, True, True, True, True]


def test_a_gating_criterion_counts_even_if_nothing_was_measured() -> None:
    measured = section(proportion(share_of(0), 450, 500))
    assert judge(criteria_for(5, 0.87), [measured], [CHECK])[0].adjusted_p_value == pytest.approx(
        5 * 0.046, abs=0.01
    )


def test_among_ten_gating_criteria_a_wrong_verdict_is_as_rare_as_with_one() -> None:
    """Every model is exactly at its threshold, so that each verdict but inconclusive is chance."""
    names = [share_of(number) for number in range(10)]
    criteria = criteria_for(10, 0.8)
    unadjusted = [criterion.model_copy(update={"gating": False}) for criterion in criteria]
    wrong, wrong_unadjusted, runs = 0, 0, 400
    for hits in np.random.default_rng(0).binomial(500, 0.8, size=(runs, 10)).tolist():
        measured = [section(*(proportion(n, h, 500) for n, h in zip(names, hits, strict=True)))]
        wrong += any(one.verdict != "inconclusive" for one in judge(criteria, measured, [CHECK]))
        wrong_unadjusted += any(
            one.verdict != "inconclusive" for one in judge(unadjusted, measured, [CHECK])
        )
    assert wrong / runs <= 0.07
    assert wrong_unadjusted / runs >= 0.3


def _step_down(p_values: Sequence[float], level: float) -> set[int]:
    """Return what Holm's procedure rejects at a level, step by step, as it was published."""
    left, rejected = set(range(len(p_values))), set()
    while left:
        smallest = min(left, key=lambda number: p_values[number])
        if p_values[smallest] * len(left) > level:
            break
        rejected.add(smallest)
        left.remove(smallest)
    return rejected


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=12, unique=True),
    st.floats(0.001, 0.999),
)
def test_holm_rejects_what_the_published_steps_reject(p_values: list[float], level: float) -> None:
    adjusted = holm(p_values).tolist()
    assert {n for n, p in enumerate(adjusted) if p <= level} == _step_down(p_values, level)
    assert all(p <= q <= 1 for p, q in zip(p_values, adjusted, strict=True))
    assert holm([]).size == 0


# ── What was not measured ─────────────────────────────────────────────────────────────────────────

SHARE = proportion("quality", 90, 100)


@pytest.mark.parametrize(
    ("asked", "sections", "reason"),
    [
        ({"minimum_n": 101}, [section(SHARE)], "n = 100 is below the minimum of 101"),
        ({}, [section(proportion("quality", 0, 0))], "there is no instance to measure it on"),
        (
            {},
            [section(Measure(name="quality", value=0.9, n=9))],
            "it has no interval",
        ),
        (
            {},
            [section(skipped="no label column was named")],
            "not measured. Quality: no label column was named",
        ),
        (
            {"slice": "language = dd"},
            [section(SHARE, proportion("quality", 1, 2, "language = de"))],
            'not measured on "language = dd"; did you mean "language = de"?',
        ),
        (
            {"metric": "quality.share", "of": {"label": "positiv"}},
            [section(SHARE, proportion(SHARE_OF.name(label="positive"), 1, 2))],
            'not measured for the label "positiv"; did you mean "positive"?',
        ),
        (
            {"metric": "quality.share", "of": {"label": "positive"}},
            [section(SHARE)],
            'not measured for the label "positive"',
        ),
        ({}, [section()], "not measured on this model and table"),
    ],
)
def test_what_cannot_be_judged_is_inconclusive_with_the_reason(
    asked: dict[str, Any], sections: list[Section], reason: str
) -> None:
    criterion = Criterion.model_validate(
        {"metric": QUALITY.id, "at_least": 0.5, "gating": True} | asked
    )
    (found,) = judge([criterion], sections, [CHECK])
    assert (found.verdict, found.p_value, found.adjusted_p_value) == ("inconclusive", None, None)
    assert reason in found.reason


def test_enough_instances_are_as_many_as_were_asked_for() -> None:
    assert judged(SHARE, at_least=0.5, minimum_n=100).verdict == "pass"


def test_a_measure_is_found_in_measures_tables_and_figures_of_any_section() -> None:
    named = SHARE.model_copy(update={"metric": QUALITY.id})
    other = Section(id="other", title="Other", summary="", measures=(proportion("quality", 1, 9),))
    in_table = section(tables=(Table(title="", columns=("a", "b"), rows=(("x", SHARE),)),))
    figure = IntervalsFigure(title="", description="", measures=(SHARE,))
    criteria = [Criterion(metric=QUALITY.id, at_least=0.5)]
    for own in (section(SHARE), in_table, section(figures=(figure,))):
        (found,) = judge(criteria, [other, own], [CHECK])
        assert (found.measure, found.section) == (named, "quality")
    assert judge(criteria, [other], [CHECK])[0].measure is None
    (found,) = judge(criteria, [other.with_metrics([QUALITY])], [CHECK])
    assert found.section == "other"


# ── Before the run ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("asked", [{}, {"at_least": 0.5, "at_most": 0.6}])
def test_a_criterion_has_one_comparator(asked: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"this one states {'both' if asked else 'neither'}"):
        Criterion(metric=QUALITY.id, **asked)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"metric": "performance.accurcy", "at_least": 0.5}, "did you mean 'performance.accuracy'"),
        ({"metric": "accuracy", "at_least": 0.5}, "write 'performance.accuracy'"),
        ({"metric": "performance.recall", "at_least": 0.5}, 'write of = { label = "..." }'),
        (
            {"metric": "performance.accuracy", "of": {"label": "x"}, "at_least": 0.5},
            "in `of` label; leave it out",
        ),
        ({"metric": "performance.accuracy", "at_least": 85}, "at_least = 85, which is out of"),
        ({"metric": "performance.accuracy", "at_most": -0.1}, "lies between 0 and 1"),
        ({"metric": "performance.recall", "of": {"label": "x"}, "at_least": 1.5}, "out of range"),
        ({"metric": "performance.accuracy", "at_least": 0}, "which any model meets"),
        ({"metric": "performance.macro_f1", "at_most": 1}, "which any model meets"),
    ],
)
def test_a_criterion_that_cannot_be_judged_or_missed_is_refused(
    asked: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        check_metrics([Criterion(**asked)], [CHECKS["performance"]()])


def test_the_check_that_a_criterion_needs_is_named() -> None:
    criterion = Criterion(metric="performance.accuracy", at_least=0.8)
    with pytest.raises(ConfigurationError, match="needs the check 'performance', which is not ch"):
        check_metrics([criterion], [CHECKS["data"]()])
    check_metrics(
        [Criterion(metric="performance.matthews", at_least=-0.5)], [CHECKS["performance"]()]
    )
    check_metrics([Criterion(metric="quality.share", of={"label": "x"}, at_least=85)], [CHECK])


def test_no_two_metrics_share_an_id_or_a_title_and_each_is_named_after_its_check() -> None:
    metrics = {metric for check in CHECKS.values() for metric in check.metrics}
    assert len({metric.id for metric in metrics}) == len(metrics)
    assert len({metric.title for metric in metrics}) == len(metrics)
    shared = {"performance.accuracy", "performance.subset_accuracy"}
    for check in CHECKS.values():
        for metric in check.metrics:
            assert metric.id.startswith(f"{check.id}.") or check.id == "slices", metric.id
    assert shared < {metric.id for metric in CHECKS["slices"].metrics}


# ── Frozen ────────────────────────────────────────────────────────────────────────────────────────

CRITERIA = (
    Criterion(metric=QUALITY.id, at_least=0.5, gating=True, rationale="as before"),
    Criterion(
        metric=SHARE_OF.id, of={"label": "x"}, at_most=0.25, slice="language = de", minimum_n=30
    ),
)


def test_the_hash_depends_on_all_that_was_stated_and_on_nothing_else() -> None:
    sha256 = FrozenCriteria.of(CRITERIA, DAY).sha256
    turned = [dict(reversed(criterion.statement().items())) for criterion in reversed(CRITERIA)]
    again = [Criterion.model_validate(one) for one in turned]
    assert FrozenCriteria.of(again, date(2020, 1, 1)).sha256 == sha256
    found = judge(CRITERIA, [section(SHARE)], [CHECK])
    assert FrozenCriteria.of(found, DAY).sha256 == sha256
    changes: tuple[dict[str, Any], ...] = (
        {"metric": "x"},
        {"of": {"label": "y"}},
        {"slice": "x"},
        {"at_least": 0.5000001},
        {"at_least": None, "at_most": 0.5},
        {"minimum_n": 5},
        {"gating": False},
        {"rationale": "since"},
    )
    other = {
        FrozenCriteria.of((CRITERIA[0].model_copy(update=change), CRITERIA[1]), DAY).sha256
        for change in changes
    }
    assert len(other - {sha256}) == len(changes)


def test_anybody_can_compute_the_hash_from_the_file(tmp_path: Path) -> None:
    frozen = bind_criteria(tmp_path, CRITERIA)
    kept = json.loads((tmp_path / "criteria.json").read_text())
    items = sorted(json.dumps(c, sort_keys=True, separators=(",", ":")) for c in kept["criteria"])
    assert frozen is not None
    assert hashlib.sha256(f"[{','.join(items)}]".encode()).hexdigest() == kept["sha256"]
    assert kept["sha256"] == frozen.sha256


def test_a_folder_keeps_to_the_criteria_that_it_was_frozen_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    first = bind_criteria(tmp_path, CRITERIA)
    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    assert bind_criteria(tmp_path, CRITERIA[::-1]) == first
    assert first is not None
    assert first.frozen_on == date(1970, 1, 1)
    before = (tmp_path / "criteria.json").read_bytes()
    for other in (CRITERIA[:1], ()):
        with pytest.raises(ConfigurationError, match="frozen on 1970-01-01 with other criteria"):
            bind_criteria(tmp_path, other)
    assert (tmp_path / "criteria.json").read_bytes() == before


@pytest.mark.parametrize("spoilt", [b"", b"{}", b"[1]", b"\xff", None])
def test_frozen_criteria_that_were_changed_are_refused(
    tmp_path: Path, spoilt: bytes | None
) -> None:
    bind_criteria(tmp_path, CRITERIA)
    path = tmp_path / "criteria.json"
    path.write_bytes(path.read_bytes().replace(b"0.5", b"0.4") if spoilt is None else spoilt)
    with pytest.raises(RecordError, match="is not as it was frozen"):
        bind_criteria(tmp_path, CRITERIA)


def test_a_margin_for_comparisons_is_frozen_with_the_criteria(tmp_path: Path) -> None:
    frozen = bind_criteria(tmp_path, CRITERIA, 0.02)
    assert frozen is not None
    assert frozen.sha256 != FrozenCriteria.of(CRITERIA, DAY).sha256
    assert bind_criteria(tmp_path, CRITERIA, 0.02) == frozen
    for margin in (0.03, None):
        with pytest.raises(ConfigurationError, match="with other criteria"):
            bind_criteria(tmp_path, CRITERIA, margin)
    path = tmp_path / "criteria.json"
    path.write_text(path.read_text().replace("0.02", "0.03"))
    with pytest.raises(RecordError, match="is not as it was frozen"):
        bind_criteria(tmp_path, CRITERIA, 0.03)


def test_without_criteria_nothing_is_kept(tmp_path: Path) -> None:
    assert bind_criteria(tmp_path / "new", ()) is None
    assert not (tmp_path / "new").exists()


# ── In an audit ───────────────────────────────────────────────────────────────────────────────────

ROWS = [{"text": "good"}] * 90 + [{"text": "bad"}] * 10
MODEL = FunctionClassifier(
    lambda texts: [[0.0, float(text == "good")] for text in texts], ["neg", "pos"], name="counter"
)


def test_an_audit_freezes_its_criteria_before_the_model_is_even_loaded(tmp_path: Path) -> None:
    log: list[LogEntry] = []
    record = explain.audit(
        MODEL,
        ROWS,
        instances=0,
        checks=[Quality()],
        criteria=[{"metric": QUALITY.id, "at_least": 0.9, "gating": True}],
        log=log.append,
    )
    (criterion,) = record.criteria
    assert (criterion.verdict, criterion.section, criterion.minimum_n) == ("pass", "quality", None)
    assert [entry.event for entry in log][:2] == ["criteria frozen", "load"]
    assert log[0].detail["sha256"] == record.criteria_sha256
    assert record.criteria_frozen_on is None
    assert FrozenCriteria.of(record.criteria, DAY).sha256 == record.criteria_sha256
    assert type(record).from_json(record.to_json()) == record
    write_audit(record, log, tmp_path)
    assert "criteria.json" in json.loads((tmp_path / "manifest.json").read_text())
    other = record.model_copy(update={"criteria": ()})
    with pytest.raises(ConfigurationError, match="with other criteria"):
        write_audit(other, log, tmp_path)


def test_an_audit_takes_criteria_that_a_folder_has_frozen(tmp_path: Path) -> None:
    frozen = bind_criteria(tmp_path, [Criterion(metric=QUALITY.id, at_least=0.9)])
    record = explain.audit(MODEL, ROWS, instances=0, checks=[Quality()], criteria=frozen)
    assert frozen is not None
    assert record.criteria_sha256 == frozen.sha256
    assert record.criteria_frozen_on == frozen.frozen_on


def test_an_audit_keeps_the_margin_that_its_plan_states(tmp_path: Path) -> None:
    plan = tmp_path / "audit.toml"
    plan.write_text("[compare]\nmargin = 0.02\n")
    log: list[LogEntry] = []
    record = explain.audit(
        MODEL, ROWS, config=plan, instances=0, checks=[Quality()], log=log.append
    )
    assert log[0].event == "criteria frozen"
    assert (record.criteria, record.regression_margin) == ((), 0.02)
    assert record.criteria_sha256 == FrozenCriteria.of((), DAY, 0.02).sha256
    assert "regression_margin" not in record.provenance.arguments
    write_audit(record, log, tmp_path / "audit")
    page = (tmp_path / "audit/audit.html").read_text()
    assert "Loss of accuracy that a comparison tolerates" in page
    for margin in ("1.0", "-0.1", "nan"):
        plan.write_text(f"[compare]\nmargin = {margin}\n")
        with pytest.raises(ConfigurationError, match=r"\[compare\] cannot take margin"):
            explain.audit(MODEL, ROWS, config=plan, instances=0, checks=[Quality()])


def test_an_audit_without_criteria_has_no_hash() -> None:
    record = explain.audit(MODEL, ROWS, instances=0, checks=[Quality()])
    assert (record.criteria, record.criteria_sha256) == ((), None)


def test_a_criterion_on_a_check_that_measured_nothing_is_inconclusive() -> None:
    record = explain.audit(
        MODEL,
        ROWS,
        instances=0,
        checks=["performance"],
        criteria=[Criterion(metric="performance.accuracy", at_least=0.9, gating=True)],
    )
    (criterion,) = record.criteria
    assert criterion.verdict == "inconclusive"
    assert criterion.reason == "not measured. Performance: no label column was named"
