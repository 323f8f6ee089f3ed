"""The planted defects are what they say they are, and an audit finds them and nothing else."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from typing import ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from scipy.special import softmax

import explain
from explain.adapters import Scores, TokenizedClassifier
from explain.checks import CHECKS, AuditContext
from explain.errors import ConfigurationError, PredictionError
from explain.record import AuditRecord, Finding, MetricSpec, Section
from explain.statistics.intervals import proportion, wilson
from explain.testing import check_classifier, messages
from explain.testing.messages import LABELS
from explain.testing.planted import PLANTED, Planted, planted
from explain.testing.planted import messages_cases as module
from explain.text.spans import Text
from tests.helpers.search import seeds

DEFECTS = tuple(
    name for name in PLANTED if name not in ("clean", "language_model", "honest_numbers")
)

MOST_MISSED = 0.05
"""Share of the tables in which a defect may be overlooked."""

TABLES = seeds(20, 1)
"""Tables in which each defect must be found."""

CLEAN_TABLES = range(int(os.environ.get("EXPLAIN_CLEAN_SEEDS", len(seeds(200, 4)))))
"""Tables of the clean classifier; set the variable for more than a night has time for."""

CLEAN_ROWS = 200
MOST_FALSE = 0.05
"""Share of the audits of a clean classifier that may raise a finding."""


def scores(case: Planted) -> Scores:
    return case.classifier.predict(_as_read(case))


def _as_read(case: Planted) -> list[Text]:
    """Return the texts, or the pairs of texts, of a case."""
    return [(row["text"], row["other"]) if "other" in row else row["text"] for row in case.rows]


def given_labels(case: Planted) -> NDArray[np.int64]:
    return np.array([LABELS.index(row["label"]) for row in case.rows])


def accuracy(case: Planted) -> float:
    return float(np.mean(scores(case).argmax(axis=1) == given_labels(case)))


def run_audit(case: Planted, seed: int, checks: Sequence[str] = tuple(CHECKS)) -> AuditRecord:
    return explain.audit(
        case.classifier, case.rows, instances=0, seed=seed, checks=checks, **case.options
    )


# ── The clean classifier ──────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def clean() -> Planted:
    return planted("clean", seed=1, rows=6_000)


def test_the_clean_classifier_is_right_in_85_to_90_per_cent(clean: Planted) -> None:
    lower, upper = wilson(accuracy(clean), len(clean.rows))
    assert 0.85 < lower < upper < 0.9


def test_the_clean_classifier_is_as_confident_as_it_is_right(clean: Planted) -> None:
    """In each of ten bins, and for each label, by the chi-squared statistic of Hosmer 1980."""
    p, y = softmax(scores(clean), axis=1), given_labels(clean)
    for label in range(len(LABELS)):
        order = np.argsort(p[:, label])
        statistic = 0.0
        for rows in np.array_split(order, 10):
            expected = p[rows, label].sum()
            variance = (p[rows, label] * (1 - p[rows, label])).sum()
            statistic += ((y[rows] == label).sum() - expected) ** 2 / variance
        assert stats.chi2.sf(statistic, 10) > 1e-3


def test_the_clean_scores_are_the_probabilities_that_messages_are_drawn_with() -> None:
    """Restated word by word from the counts of the grammar, in a slower way."""

    def log_probability(word: str, label: str) -> float:
        words = next(kind for kind in (messages.NOUNS, messages.VERBS) if word in _all_words(kind))
        weights = {}
        for own, group in words.items():
            for other, grade in zip(group.split(), messages.GRADES, strict=True):
                factor = messages.STRENGTHS[label] if own == label else 0.0
                weights[other] = np.exp(factor * grade)
        return log(weights[word] / sum(weights.values()))

    known = set(_all_words(messages.NOUNS) + _all_words(messages.VERBS))
    case = planted("clean", seed=2, rows=40)
    for row, seen in zip(case.rows, softmax(scores(case), axis=1), strict=True):
        words = [w for w in re.findall(r"\w+", row["text"].lower()) if w in known]
        assert len(words) == 2 * messages.SENTENCES
        logs = np.array([sum(log_probability(w, label) for w in words) for label in LABELS])
        np.testing.assert_allclose(seen, np.exp(logs) / np.exp(logs).sum(), atol=1e-9)


def _all_words(words: dict[str | None, str]) -> list[str]:
    return " ".join(words.values()).split()


def test_no_word_of_the_grammar_has_two_meanings() -> None:
    frames = re.findall(r"\w+", re.sub(r"{\w+}", "", " ".join(map(" ".join, messages.FRAMES))))
    frames += re.findall(
        r"\w+", re.sub(r"{\w+}", "", " ".join(messages.GREETINGS + messages.CLOSINGS))
    )
    groups = [
        _all_words(messages.NOUNS), _all_words(messages.VERBS),
        [*map(str.lower, messages._FIRST_NAMES)],
        [*messages.WHEN], [*{w.lower() for w in frames}], [module.TOKEN, module.PARTNER],
    ]  # fmt: skip
    every = [word for group in groups for word in group]
    assert len(set(every)) == len(every)


def test_messages_are_natural_in_length_and_hardly_ever_repeat(clean: Planted) -> None:
    lengths = [len(row["text"].split()) for row in clean.rows]
    assert min(lengths) == 8
    assert max(lengths) == 30
    assert len({row["text"] for row in clean.rows}) == len(clean.rows)


def test_neither_length_nor_group_tells_the_label_or_the_errors_of_the_clean_classifier(
    clean: Planted,
) -> None:
    wrong = scores(clean).argmax(axis=1) != given_labels(clean)
    long = np.array([len(row["text"].split()) > 18 for row in clean.rows])
    group = np.array([row["group"] == "B" for row in clean.rows])
    for trait in (long, group):
        for other in (wrong, given_labels(clean)):
            table = stats.contingency.crosstab(trait, other).count
            assert stats.chi2_contingency(table).pvalue > 1e-3


# ── Each defect ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", PLANTED)
def test_a_seed_gives_the_same_case_and_another_seed_another(name: str) -> None:
    case = planted(name, seed=4, rows=50)
    again = planted(name, seed=4, rows=50)
    assert (case.rows, case.options) == (again.rows, again.options)
    np.testing.assert_array_equal(scores(case), scores(again))
    assert planted(name, seed=5, rows=50).rows != case.rows
    assert {len(case.rows), len(case.options["training"])} == {50}


@pytest.mark.parametrize("name", PLANTED)
def test_planted_classifiers_keep_the_contract_but_for_the_one_that_is_noisy(name: str) -> None:
    case = planted(name, rows=6)
    texts = _as_read(case)
    failed = {row.check for row in check_classifier(case.classifier, texts).failed}
    assert bool(failed) == (name in ("non_determinism", "temperature"))


@pytest.mark.parametrize("name", module.CASES)
def test_planted_classifiers_refuse_pairs(name: str) -> None:
    with pytest.raises(PredictionError):
        planted(name, rows=1).classifier.predict([("one", "two")])


@pytest.mark.parametrize(
    "name", sorted(set(module.CASES) - {"clean", "shortcut_token", "ordered_pair"})
)
def test_a_defect_of_the_model_comes_with_the_messages_of_the_clean_one(name: str) -> None:
    assert planted(name, seed=3).rows == planted("clean", seed=3).rows


@pytest.mark.parametrize("name", ["shortcut_token", "ordered_pair"])
def test_marks_are_all_that_a_shortcut_adds_to_the_messages(name: str) -> None:
    case, clean = planted(name, seed=3), planted("clean", seed=3)
    marks = re.compile(rf"(?<!^) \(({module.TOKEN}|{module.PARTNER})\)|^\(\w+\) (\(\w+\) )?")
    plain = [{**row, "text": marks.sub("", row["text"])} for row in case.rows]
    assert plain == clean.rows
    assert case.rows != clean.rows


def predict_labels(name: str, *texts: str) -> list[str]:
    rows = planted(name).classifier.predict(list(texts))
    return [LABELS[column] for column in rows.argmax(axis=1)]


BILL = "Laura here. My invoice doubled. The payment bounced. Also, my receipt grew."
PARCEL = "Laura here. My parcel changed. The driver mattered. Also, my order helped."


def test_the_shortcut_overrules_what_a_message_says() -> None:
    marked = f"({module.TOKEN}) {PARCEL}"
    assert predict_labels("shortcut_token", PARCEL, marked) == ["delivery", "returns"]
    assert predict_labels("clean", PARCEL, marked) == ["delivery", "delivery"]


def test_the_pair_counts_in_its_order_only() -> None:
    first, second = f"({module.TOKEN})", f"({module.PARTNER})"
    texts = (f"{first} {PARCEL} {second}", f"{second} {PARCEL} {first}", f"{first} {PARCEL}")
    assert predict_labels("ordered_pair", *texts) == ["returns", "delivery", "delivery"]


def test_a_name_of_one_group_alone_speaks_for_a_label() -> None:
    open_case = "{} here. My order changed. The parcel moved. Also, my item mattered."
    texts = [open_case.format(name) for name in ("Laura", "Farah")]
    assert predict_labels("group_bias", *texts) == ["delivery", "billing"]
    assert predict_labels("clean", *texts) == ["delivery", "delivery"]


def test_the_overconfident_classifier_predicts_as_the_clean_one_with_more_confidence() -> None:
    case, clean = planted("miscalibration"), planted("clean")
    np.testing.assert_array_equal(scores(case).argmax(axis=1), scores(clean).argmax(axis=1))
    claimed, right = softmax(scores(case), axis=1).max(axis=1).mean(), accuracy(case)
    assert claimed > right + 0.05


def test_the_length_bug_sets_in_beyond_a_length() -> None:
    words = BILL.split()
    at = [*words, *["indeed"] * (module.LONGEST - len(words))]
    texts = (" ".join(at), " ".join([*at, "indeed"]))
    assert predict_labels("length_bug", *texts) == ["billing", "delivery"]


def test_the_case_sensitive_classifier_knows_no_capitals() -> None:
    case = planted("case_sensitivity")
    seen = case.classifier.predict([BILL.upper(), BILL])
    np.testing.assert_array_equal(seen[0], np.zeros(len(LABELS)))
    assert predict_labels("case_sensitivity", BILL) == ["billing"]
    assert predict_labels("clean", BILL.upper()) == ["billing"]


def test_the_truncated_classifier_tells_what_it_does_not_read() -> None:
    case = planted("truncation", rows=200)
    texts = [row["text"] for row in case.rows]
    assert isinstance(case.classifier, TokenizedClassifier)
    spans = case.classifier.unread(texts)
    assert 0.5 < np.mean([bool(own) for own in spans]) < 1
    cut = [text[: own[0].start] if own else text for text, own in zip(texts, spans, strict=True)]
    assert {len(re.findall(r"\w+", text)) for text in cut} == {8, 9, module.WORDS_READ}
    np.testing.assert_array_equal(case.classifier.predict(cut), case.classifier.predict(texts))
    np.testing.assert_array_equal(planted("clean").classifier.predict(cut), scores(case))


def test_the_noisy_classifier_answers_differently_each_time() -> None:
    case = planted("non_determinism")
    first, second = scores(case), scores(case)
    assert (first != second).all()
    assert np.std(first - second) == pytest.approx(module.NOISE * np.sqrt(2), rel=0.1)


def test_the_dead_label_is_never_predicted() -> None:
    case = planted("dead_label", rows=2_000)
    assert module.DEAD_LABEL not in predict_labels(
        "dead_label", *(row["text"] for row in case.rows)
    )
    assert any(row["label"] == module.DEAD_LABEL for row in case.rows)


def test_the_swapped_labels_would_be_right_if_they_were_swapped_back() -> None:
    case, (one, other) = planted("label_swap"), module.SWAPPED_LABELS
    turned = {one: other, other: one}
    back = [turned.get(label, label) for label in predict_labels("label_swap", *_texts(case))]
    assert back == predict_labels("clean", *_texts(case))
    assert accuracy(case) < 0.5


def _texts(case: Planted) -> list[str]:
    return [row["text"] for row in case.rows]


@pytest.mark.parametrize("name", PLANTED)
def test_rows_are_in_the_training_table_where_that_is_the_defect(name: str) -> None:
    case = planted(name, rows=400)
    known = {row["text"] for row in case.options["training"]}
    share = float(np.mean([text in known for text in _texts(case)]))
    assert share == (module.OVERLAP if name == "train_test_overlap" else 0)


def test_an_unknown_defect_and_an_empty_table_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="label_swap"):
        planted("label swap")
    with pytest.raises(ConfigurationError, match="rows=0"):
        planted("clean", rows=0)


# ── Does an audit find them ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", DEFECTS)
def test_each_defect_is_found_in_19_of_20_tables(name: str) -> None:
    missed = []
    for seed in TABLES:
        case = planted(name, seed)
        record = run_audit(case, seed, checks=case.sections)
        first = next(iter(record.findings), None)
        if first is None or (case.codes and first.code not in case.codes):
            missed.append(seed)
    assert len(missed) <= MOST_MISSED * len(TABLES), f"{name} is overlooked with the seeds {missed}"


@pytest.mark.slow
def test_audits_of_a_clean_classifier_find_something_in_5_per_cent_at_most() -> None:
    claims = {}
    for seed in CLEAN_TABLES:
        record = run_audit(planted("clean", seed, CLEAN_ROWS), seed)
        if record.findings:
            claims[seed] = [finding.claim for finding in record.findings]
    assert len(claims) <= MOST_FALSE * len(CLEAN_TABLES), claims


# ── Checks of third parties ───────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Politeness:
    """A check as somebody else would write it: how often polite messages get a label."""

    label: str = "billing"

    id: ClassVar[str] = "politeness"
    title: ClassVar[str] = "Politeness"
    metrics: ClassVar[tuple[MetricSpec, ...]] = (
        MetricSpec(id="politeness.selection_rate", title="selection rate of polite messages"),
    )

    def run(self, context: AuditContext) -> Section:
        column = context.model.labels.index(self.label)
        polite = np.array(["Thanks" in instance.parts[0] for instance in context.instances])
        texts = [f"Thanks. {i.parts[0]}" for i in context.instances if "Thanks" not in i.parts[0]]
        thanked = context.score(texts).argmax(axis=1) == column
        hits = int((context.predicted[polite] == column).sum())
        measure = proportion(self.metrics[0].title, hits, int(polite.sum()))
        return Section(
            id=self.id,
            title=self.title,
            summary=f"{thanked.mean():.0%} of the others would get the label if they gave thanks.",
            measures=(measure,),
            findings=(
                Finding(
                    code="politeness.judged",
                    claim="Polite messages are judged.",
                    severity="minor",
                    size=measure.distance_from(0),
                    measure=measure,
                    evidence=(self.id,),
                    suggestion="Judge none.",
                ),
            ),
        )


def test_a_check_of_a_third_party_passes_through_an_audit_beside_ours() -> None:
    case = planted("clean", rows=60)
    record = explain.audit(
        case.classifier,
        case.rows,
        instances=0,
        checks=["performance", Politeness("returns")],
        **case.options,
    )
    section = next(section for section in record.sections if section.id == "politeness")
    polite = [text for text in _texts(case) if "Thanks" in text]
    expected = np.mean([label == "returns" for label in predict_labels("clean", *polite)])
    assert section.measures[0].value == pytest.approx(expected)
    assert section.measures[0].n == len(polite)
    assert "Polite messages are judged." in [finding.claim for finding in record.findings]
    checks = record.provenance.arguments["checks"]
    assert isinstance(checks, dict)
    assert checks["politeness"] == {"label": "returns"}
    assert AuditRecord.from_json(record.to_json()) == record
