"""Reviewers' agreement is that of the textbooks, and only random instances tell of all rows."""

import random
from pathlib import Path

import krippendorff
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from explain.auditing.archive import read_record, write_audit
from explain.errors import ConfigurationError, DataError, RecordError
from explain.record import AuditRecord, ReviewLine, ReviewVerdict, Section
from explain.record.files import hash_file
from explain.review import import_reviews, verify
from explain.review.judgements import contradicts_label
from explain.review.section import reviews_section
from explain.statistics.reviewer_agreement import cohens_kappa, krippendorffs_alpha
from tests.helpers.records import run_log
from tests.helpers.reviews import instances, record_of, review

CODES = st.sampled_from(["correct", "unsafe", "wrong_label"])
PAIRS = st.lists(st.tuples(CODES, CODES), min_size=2, max_size=40)
TABLES = st.integers(2, 4).flatmap(
    lambda k: st.lists(st.lists(st.none() | CODES, min_size=k, max_size=k), min_size=2, max_size=30)
)


def value(section: Section, metric: str) -> float | None:
    (measure,) = (measure for measure in section.measures if measure.metric == metric)
    return measure.value


@given(PAIRS)
def test_kappa_is_that_of_scikit_learn(pairs: list[tuple[str, str]]) -> None:
    first, second = (list(codes) for codes in zip(*pairs, strict=True))
    kappa = cohens_kappa("kappa", first, second)
    if len({*first, *second}) == 1:
        assert kappa.value is None
        return
    assert kappa.value == pytest.approx(cohen_kappa_score(first, second), abs=1e-9)
    if kappa.value is not None and kappa.lower is not None and kappa.upper is not None:
        assert -1 <= kappa.lower <= kappa.value <= kappa.upper <= 1


def test_the_interval_of_kappa_is_about_as_wide_as_the_jackknife_says() -> None:
    """On the diagnoses of Fleiss, Levin and Paik (2003), table 18.1, where kappa is .68."""
    counts = {"aa": 75, "ab": 1, "ac": 4, "ba": 5, "bb": 4, "bc": 1, "cc": 10}
    first, second = (np.repeat([pair[i] for pair in counts], [*counts.values()]) for i in (0, 1))
    kappa = cohens_kappa("kappa", first.tolist(), second.tolist())
    n = len(first)
    without = [cohen_kappa_score(np.delete(first, row), np.delete(second, row)) for row in range(n)]
    error = float(np.sqrt((n - 1) * np.var(without)))
    assert kappa.value == pytest.approx(0.676, abs=0.001)
    assert kappa.lower is not None
    assert kappa.upper is not None
    width = float(np.arctanh(kappa.upper) - np.arctanh(kappa.lower))
    assert width / (2 * 1.96) * (1 - 0.676**2) == pytest.approx(error, rel=0.05)


@given(TABLES)
def test_alpha_is_that_of_the_krippendorff_package(table: list[list[str | None]]) -> None:
    alpha = krippendorffs_alpha("alpha", table, np.random.default_rng(0))
    pairable = [row for row in table if len(row) - row.count(None) > 1]
    codes = {code for row in pairable for code in row if code is not None}
    assert alpha.n == len(pairable)
    if len(codes) < 2:
        assert alpha.value is None
        return
    numbers = {None: np.nan} | {code: float(place) for place, code in enumerate(sorted(codes))}
    expected = krippendorff.alpha(
        np.array([[numbers[code] for code in row] for row in pairable]).T,
        level_of_measurement="nominal",
    )
    assert alpha.value == pytest.approx(expected, abs=1e-9)


def test_only_instances_drawn_at_random_make_an_error_rate() -> None:
    drawn, chosen = instances(20), instances(40, "confident error")[20:]
    reviews = [review(i, "wrong_label" if i.row <= 5 else "correct") for i in drawn]
    reviews += [review(i, "wrong_label") for i in chosen]
    section = reviews_section(record_of([*drawn, *chosen]), reviews)
    assert value(section, "reviews.model_errors") == 5 / 20
    assert "20 of these were drawn at random" in section.summary


def test_what_is_left_open_is_in_no_rate() -> None:
    shown = instances(10)
    verdicts: list[ReviewVerdict] = ["ambiguous", "skip", "unsafe", "wrong_reason"]
    reviews = [review(i, v) for i, v in zip(shown, verdicts, strict=False)]
    section = reviews_section(record_of(shown), reviews)
    (rate,) = (m for m in section.measures if m.metric == "reviews.model_errors")
    assert (rate.value, rate.n) == (1 / 2, 2)


def test_the_majority_decides_and_a_draw_decides_nothing() -> None:
    shown = instances(2)
    reviews = [review(shown[0], reviewer="a"), review(shown[0], "wrong_label", reviewer="b")]
    reviews += [review(shown[1], "wrong_label", reviewer=r) for r in "ab"]
    reviews += [review(shown[1], "correct", reviewer="c")]
    section = reviews_section(record_of(shown), reviews)
    (rate,) = (m for m in section.measures if m.metric == "reviews.model_errors")
    assert (rate.value, rate.n) == (1.0, 1)


@pytest.mark.parametrize(
    ("verdict", "label", "is_model_right", "contradicts"),
    [
        ("correct", None, True, False),
        ("correct", None, False, True),
        ("wrong_label", None, True, True),
        ("wrong_label", None, False, False),
        ("wrong_label", "positive", False, True),
        ("correct", "positive", True, False),
        ("ambiguous", "positive", True, None),
    ],
)
def test_a_review_tells_whether_the_label_is_contradicted(
    verdict: ReviewVerdict, label: str | None, is_model_right: bool, contradicts: bool | None
) -> None:
    (instance,) = instances(1, wrong=not is_model_right)
    assert contradicts_label(review(instance, verdict, label=label), instance) is contradicts


def test_who_gives_up_their_own_label_is_counted() -> None:
    shown = instances(4)
    reviews = [review(i, "correct", label="negative") for i in shown[:1]]
    reviews += [review(i, "wrong_label", label="negative") for i in shown[1:3]]
    reviews += [review(shown[3], "correct", label="positive")]
    assert value(reviews_section(record_of(shown), reviews), "reviews.changed_minds") == 1 / 3


def test_an_unsafe_answer_is_a_finding_that_leads_to_it() -> None:
    shown = instances(3)
    reviews = [review(shown[1], "unsafe", reviewer=r) for r in ("Ana", "Bo")]
    (finding,) = reviews_section(record_of(shown), reviews).findings
    assert (finding.code, finding.severity) == ("reviews.unsafe", "critical")
    assert finding.evidence == ("reviews", "i1")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_audit(record_of(instances(60, wrong=6)), run_log(), tmp_path / "run")
    return tmp_path / "run"


def saved(path: Path, lines: list[ReviewLine]) -> Path:
    path.write_text("".join(line.to_json() + "\n" for line in lines), encoding="utf-8")
    return path


def reviews_by(reviewer: str, folder: Path, verdict: ReviewVerdict = "correct") -> list[ReviewLine]:
    report = hash_file(folder / "audit.json", folder).sha256
    shown = read_record(folder / "audit.json").instances
    return [review(i, verdict, reviewer=reviewer, report=report) for i in shown]


def test_three_reviewers_come_back_and_the_one_of_another_report_is_refused(
    folder: Path, tmp_path: Path
) -> None:
    page = (folder / "audit.html").read_bytes()
    lines = {name: reviews_by(name, folder) for name in ("Ana", "Bo", "Cem")}
    draw = random.Random(0)
    codes = {
        name: [draw.choice(("correct", "unsafe", "wrong_reason")) for _ in range(60)]
        for name in ("Ana", "Bo")
    }
    for name, verdicts in codes.items():
        lines[name] = [
            line.model_copy(update={"verdict": verdict})
            for line, verdict in zip(lines[name], verdicts, strict=True)
        ]
    lines["Cem"] = [line.model_copy(update={"report_sha256": "1" * 64}) for line in lines["Cem"]]
    files = [saved(tmp_path / name, each) for name, each in lines.items()]
    imported = import_reviews(folder, files)
    assert {line.reviewer for line in imported.lines} == {"Ana", "Bo"}
    assert len(imported.lines) == 120
    assert {(line.file, line.reason[:21]) for line in imported.refused} == {
        (str(tmp_path / "Cem"), "it reviews the report")
    }
    assert len(imported.refused) == 60
    assert verify(folder).ok
    assert (folder / "audit.html").read_bytes() == page
    assert "Reviews by people" in imported.page.read_text(encoding="utf-8")
    reviewed = AuditRecord.from_json((folder / "reviewed.json").read_bytes())
    section = reviewed.sections[-1]
    assert section.id == "reviews"
    kappa = cohen_kappa_score(*codes.values())
    assert value(section, "reviews.kappa") == pytest.approx(kappa, abs=1e-9)
    numbers = {code: number for number, code in enumerate(sorted({*codes["Ana"]}))}
    alpha = krippendorff.alpha(
        [[numbers[code] for code in verdicts] for verdicts in codes.values()],
        level_of_measurement="nominal",
    )
    assert value(section, "reviews.alpha") == pytest.approx(alpha, abs=1e-9)


def test_a_later_review_of_the_same_person_counts(folder: Path, tmp_path: Path) -> None:
    first, *_ = reviews_by("Ana", folder)
    later = first.model_copy(update={"verdict": "unsafe", "at": first.at.replace(hour=23)})
    import_reviews(folder, [saved(tmp_path / "a", [later, first])])
    imported = import_reviews(folder, [saved(tmp_path / "b", [first])])
    assert [line.verdict for line in imported.lines] == ["unsafe"]


def test_reviewers_are_merged_whoever_comes_first(folder: Path, tmp_path: Path) -> None:
    files = [saved(tmp_path / name, reviews_by(name, folder)) for name in ("Ana", "Bo")]
    import_reviews(folder, files[1:])
    one_by_one = import_reviews(folder, files[:1]).lines
    assert one_by_one == import_reviews(folder, files).lines


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"text_sha256": "2" * 64}, "another text"),
        ({"instance": "nowhere"}, "no instance 'nowhere'"),
        ({"label": "positiv"}, "did you mean 'positive'"),
    ],
)
def test_a_line_that_does_not_fit_is_refused(
    change: dict[str, str], says: str, folder: Path, tmp_path: Path
) -> None:
    good, bad, *_ = reviews_by("Ana", folder)
    lines = [good, bad.model_copy(update=change)]
    imported = import_reviews(folder, [saved(tmp_path / "a", lines)])
    assert len(imported.lines) == 1
    (refused,) = imported.refused
    assert refused.line == 2
    assert says in refused.reason


@pytest.mark.parametrize("content", ["", "{}", "[1]", "\x00", "[" * 100_000, '{"verdict": "fine"}'])
def test_what_is_no_review_leaves_the_folder_as_it_was(
    content: str, folder: Path, tmp_path: Path
) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    (tmp_path / "a").write_text(content)
    with pytest.raises(DataError, match="no line is a review"):
        import_reviews(folder, [tmp_path / "a"])
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_reviews_are_not_added_to_what_was_changed(folder: Path, tmp_path: Path) -> None:
    lines = saved(tmp_path / "a", reviews_by("Ana", folder))
    (folder / "run.jsonl").write_text("")
    with pytest.raises(RecordError, match=r"run\.jsonl was changed"):
        import_reviews(folder, [lines])
    with pytest.raises(ConfigurationError, match="explain audit"):
        import_reviews(tmp_path / "nowhere", [lines])


def test_a_key_in_a_note_does_not_reach_the_report(folder: Path, tmp_path: Path) -> None:
    key = "sk-" + "a1B2" * 8
    line = reviews_by("Ana", folder)[0].model_copy(update={"note": f"see {key}"})
    import_reviews(folder, [saved(tmp_path / "a", [line])])
    assert all(key.encode() not in path.read_bytes() for path in folder.iterdir())
