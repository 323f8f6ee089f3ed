"""Texts of every kind, audited from end to end: many scripts, many labels, long texts, pairs."""

import re
from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pandas as pd
import pytest
import regex
import torch
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import explain
import reports
from explain.adapters import TextClassifier
from explain.adapters.transformers import TransformersClassifier
from explain.attribution.methods import Lime, Occlusion, Shap
from explain.engine.games import MaskToken
from explain.record import AuditRecord, IntervalsFigure, Measure, Section
from explain.text.spans import Segmentation
from explain.text.words import words
from tests.helpers.pages import Page, paragraphs
from tests.helpers.recording_page import RecordingPage
from tests.helpers.small_controls import small_controls

N_AUDITED = 150
"""Rows of each audit: enough for every statistic, few enough for a test."""

Case: TypeAlias = Callable[[Path, TransformersClassifier, TransformersClassifier], AuditRecord]


def train_model(table: pd.DataFrame, **words: object) -> TextClassifier:
    """Return TF-IDF and logistic regression, trained on a table within seconds."""
    pipeline = make_pipeline(TfidfVectorizer(**words), LogisticRegression(max_iter=300))
    return explain.wrap(pipeline.fit(table["text"], table["label"]), name="TF-IDF")


def held_out_audit(table: pd.DataFrame, n_training: int, **words: object) -> AuditRecord:
    """Return the audit of a model that was trained on other rows of the same table."""
    shuffled = table.sample(n=n_training + N_AUDITED, random_state=0)
    return explain.audit(
        train_model(shuffled[:n_training], **words),
        shuffled[n_training:],
        label="label",
        methods=[Shap(budget=128), Lime(budget=128)],
        instances=4,
    )


def chinese(shared: Path, *_: TextClassifier) -> AuditRecord:
    table = pd.read_csv(shared / "data/waimai_zh/reviews.csv")
    return held_out_audit(table, 1500, analyzer="char", ngram_range=(1, 2))


def tweets(language: str) -> Case:
    def audit_of_sst2(shared: Path, *_: TextClassifier) -> AuditRecord:
        table = pd.read_csv(shared / "data/multilingual_sentiment/tweets.csv")
        spoken = table[table["language"] == language]
        return held_out_audit(spoken, 1500, analyzer="char_wb", ngram_range=(2, 4))

    return audit_of_sst2


def identities(shared: Path, *_: TextClassifier) -> AuditRecord:
    return held_out_audit(pd.read_csv(shared / "data/identity_templates/phrases.csv"), 1500)


def intents(shared: Path, *_: TextClassifier) -> AuditRecord:
    training = pd.read_csv(shared / "data/clinc150/train.csv")
    held_out = pd.read_csv(shared / "data/clinc150/dev.csv")
    return explain.audit(
        train_model(training.groupby("label").head(20)),
        held_out.sample(n=400, random_state=0),
        label="label",
        methods=[Shap(budget=128), Lime(budget=128)],
        instances=4,
    )


def long_reviews(shared: Path, sst2: TransformersClassifier, _: TextClassifier) -> AuditRecord:
    table = pd.read_json(shared / "data/long_reviews/reviews.jsonl", lines=True)
    tokenizer = deepcopy(sst2.tokenizer)
    tokenizer.model_max_length = 128  # So that more is never read, and all is quicker.
    model = explain.wrap((sst2.model, tokenizer), name=sst2.name)
    return explain.audit(
        model, table[:4], label="label", methods=[Occlusion()], instances=2, unit="sentence"
    )


def pairs(shared: Path, _: TextClassifier, nli: TransformersClassifier) -> AuditRecord:
    table = pd.read_csv(shared / "data/nli/dev.csv")
    return explain.audit(
        nli,
        table[:30],
        text="premise",
        text_pair="hypothesis",
        label="label",
        methods=[Lime(budget=64), Occlusion()],
        instances=2,
    )


CASES: dict[str, Case] = {
    "chinese": chinese,
    "arabic": tweets("arabic"),
    "hindi": tweets("hindi"),
    "identities": identities,
    "intents": intents,
    "long": long_reviews,
    "pairs": pairs,
}


@pytest.fixture(scope="module")
def audits(
    shared: Path, sst2: TransformersClassifier, nli: TransformersClassifier
) -> Callable[[str], AuditRecord]:
    """Return a function from the name of a case to its audit, each made once."""

    @cache
    def audit_of(name: str) -> AuditRecord:
        with small_controls():
            return CASES[name](shared, sst2, nli)

    return audit_of


Audits: TypeAlias = Callable[[str], AuditRecord]


def section(record: AuditRecord, section_id: str) -> Section:
    return next(s for s in record.sections if s.id == section_id)


def texts_explained(record: AuditRecord) -> list[str]:
    return [part for i in record.instances if i.attributions for part in i.parts]


@pytest.mark.parametrize("name", CASES)
def test_an_audit_of_real_data_opens_and_gives_its_texts_back(
    name: str, audits: Audits, recording_page: RecordingPage, tmp_path: Path
) -> None:
    record = audits(name)
    page = recording_page.open(record, tmp_path)
    shown = page.locator("article p.text").evaluate_all("all => all.map(p => p.textContent)")
    explained = texts_explained(record)
    assert explained
    assert shown[: len(explained)] == explained
    assert recording_page.events == []
    for width in (390, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("name", CASES)
def test_every_number_of_the_performance_has_its_n_and_is_on_the_page(
    name: str, audits: Audits
) -> None:
    record = audits(name)
    html = reports.render_html(record)
    performance = section(record, "performance")
    assert {m.n for m in performance.measures} == {record.scored_rows}
    for label in {i.predicted for i in record.instances if i.attributions}:
        assert f"<bdi>{label}</bdi>" in html
    for measure in performance.measures:
        assert measure.name in html


def test_macro_f1_over_few_rows_per_label_has_no_interval(audits: Audits) -> None:
    macro = {n: section(audits(n), "performance").measures[1] for n in ("intents", "chinese")}
    assert macro["intents"].lower is None
    assert macro["chinese"].lower is not None
    assert (
        "only about 3 rows for each of 150 labels"
        in section(audits("intents"), "performance").summary
    )


@pytest.mark.parametrize("name", ["arabic", "hindi", "chinese"])
def test_no_highlight_cuts_what_is_read_as_one_character(name: str, audits: Audits) -> None:
    for instance in audits(name).instances:
        for attribution in instance.attributions:
            text = attribution.parts[0]
            boundaries = {match.start() for match in regex.finditer(r"\X", text)} | {len(text)}
            for span in attribution.spans:
                assert {span.start, span.end} <= boundaries


def test_arabic_is_set_from_right_to_left_and_joined_across_highlights(
    audits: Audits, recording_page: RecordingPage, tmp_path: Path
) -> None:
    page = recording_page.open(audits("arabic"), tmp_path)
    paragraph = page.locator("article p.text", has_text=re.compile("[ء-ي]{3}.*[ء-ي]{3}")).first
    assert paragraph.evaluate("p => getComputedStyle(p).direction") == "rtl"
    first, last = paragraph.evaluate(
        """p => {
          const arabic = [...p.querySelectorAll("span")].filter((s) => /[ء-ي]/.test(s.textContent));
          return [arabic[0], arabic[1]].map((s) => s.getBoundingClientRect().right);
        }"""
    )
    assert first > last
    assert page.locator("article p.text bdi").count() == 0


def test_the_confusions_of_150_labels_are_listed_and_not_drawn(audits: Audits) -> None:
    record = audits("intents")
    performance = section(record, "performance")
    (lowest,) = performance.figures
    assert isinstance(lowest, IntervalsFigure)
    recalls = [m.value for m in lowest.measures if m.value is not None]
    assert recalls == sorted(recalls)
    assert len(recalls) == 16
    n_given = len({labels[0] for labels in record.predictions.labels})
    assert f"16 of {n_given} recalls" in lowest.description
    assert f"{150 - n_given} labels are given to no row and have no recall" in lowest.description
    confusions = next(t for t in performance.tables if t.title == "Most frequent confusions")
    rows = zip(record.predictions.labels, record.predictions.predicted, strict=True)
    wrong = Counter((label, answer) for (label,), answer in rows if label != answer)
    assert {(row[0], row[1]): row[2] for row in confusions.rows}.items() <= wrong.items()
    assert [row[2] for row in confusions.rows] == sorted(wrong.values(), reverse=True)[:20]
    assert f"of {wrong.total()} wrong predictions" in str(confusions.note)


def test_a_table_of_150_labels_shows_the_worst_and_folds_the_others(audits: Audits) -> None:
    by_label = next(t for t in section(audits("intents"), "performance").tables if len(t.rows) > 99)
    recalls = [row[4].value for row in by_label.rows if isinstance(row[4], Measure) and row[4].n]
    assert recalls == sorted(r for r in recalls if r is not None)
    page = Page(reports.render_html(audits("intents")))
    assert page.texts("summary").count("130 more rows") == 2


def test_what_of_a_long_text_was_never_read_is_counted_and_struck_through(
    audits: Audits, recording_page: RecordingPage, tmp_path: Path
) -> None:
    record = audits("long")
    cut = next(i for i in record.instances if i.attributions and i.unread)
    unread = "".join(cut.parts[0][span.start : span.end] for span in cut.unread)
    assert len(unread) > 500
    page = recording_page.open(record, tmp_path)
    card = page.locator(f"[id='i-{cut.id}']")
    assert "".join(card.locator("s").all_text_contents()) == unread
    assert f"Struck through: {len(unread):,} of {len(cut.parts[0]):,} characters" in (
        card.inner_text()
    )
    box = card.bounding_box()
    assert box is not None
    assert box["height"] < 1000
    hidden = "box => box.scrollHeight - box.clientHeight"
    assert card.locator(".long").evaluate(hidden) > 0
    page.emulate_media(media="print")
    assert card.locator(".long").evaluate(hidden) == 0


def test_a_pair_is_two_paragraphs_named_by_their_columns(audits: Audits) -> None:
    record = audits("pairs")
    html = reports.render_html(record)
    page = Page(html)
    explained = [i for i in record.instances if i.attributions]
    shown = [text for _, a, text in page.contents if a.get("class") == "part"]
    assert shown[: 2 * len(explained)] == ["premise", "hypothesis"] * len(explained)
    for place, instance in enumerate(explained):
        assert tuple(paragraphs(page)[2 * place : 2 * place + 2]) == instance.parts
        for attribution in instance.attributions:
            assert {span.part for span in attribution.spans} == {0, 1}
    assert '<bdi class="soft">(hypothesis)</bdi>' in html


@pytest.mark.parametrize("side", [0, 1])
def test_a_masked_pair_keeps_its_two_segments(nli: TransformersClassifier, side: int) -> None:
    parts = ("Two children play baseball .", "Nobody plays .")
    segmentation = Segmentation(parts, words(parts))
    kept = np.array([span.part != side for span in segmentation.spans])
    masked = MaskToken("[MASK]")(segmentation, kept)
    assert masked[1 - side] == parts[1 - side]
    assert set(masked[side].split()) == {"[MASK]"}
    whole, hidden = nli.encode([parts]).inputs, nli.encode([masked]).inputs
    special = set(nli.tokenizer.all_special_ids) - {nli.tokenizer.mask_token_id}
    for inputs in (whole, hidden):
        ids, segments = inputs["input_ids"][0].tolist(), inputs["token_type_ids"][0].tolist()
        separators = [place for place, token in enumerate(ids) if token in special]
        assert separators == [0, segments.index(1) - 1, len(ids) - 1]
        assert segments == sorted(segments)
    # Each word of this pair is one token, so hiding it changes no length.
    assert torch.equal(whole["token_type_ids"], hidden["token_type_ids"])


def test_the_page_of_a_thousand_rows_and_thirty_explanations_can_be_mailed(shared: Path) -> None:
    table = pd.read_csv(shared / "data/sst2/train.csv").sample(n=2000, random_state=0)
    with small_controls():
        record = explain.audit(
            train_model(table[:1000]),
            table[1000:],
            label="label",
            methods=[Shap(budget=64), Lime(budget=64), Occlusion()],
            instances=30,
        )
    assert record.scored_rows == 1000
    assert len(reports.render_html(record).encode()) < 3_000_000
