"""The page says what the record says, holds together, and lets nothing in."""

import base64
import hashlib
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import reports
from explain.errors import ConfigurationError
from explain.record import (
    Attribution,
    AuditRecord,
    IntervalsFigure,
    JudgedCriterion,
    Measure,
    Sentence,
    Table,
)
from explain.text.spans import Span
from reports.environment import templates_folder
from reports.figures import IntervalsDrawing, figure_view
from reports.glossary import ENTRIES, TermLinks
from reports.highlight import pieces
from tests.helpers.pages import Page, paragraphs
from tests.helpers.records import (
    HOSTILE,
    attribution,
    attribution_by_sentences,
    audit_record,
    hostile_record,
    interactions,
    run_log,
)
from tests.helpers.search import examples

RECORDS = [
    pytest.param(audit_record(), id="audit"),
    pytest.param(hostile_record(), id="hostile"),
    pytest.param(attribution("so good", grade="D"), id="attribution"),
    pytest.param(attribution_by_sentences(), id="attribution by sentences"),
    pytest.param(attribution(HOSTILE, HOSTILE, label=HOSTILE), id="hostile attribution"),
]
every_record = pytest.mark.parametrize("record", RECORDS)

Rendered = AuditRecord | Attribution
Cut = tuple[str, list[Span], list[float]]


# ── The text ──────────────────────────────────────────────────────────────────────────────────────


def _printable(part: str) -> str:
    return part.replace("\0", "␀")


@pytest.mark.parametrize("record", [audit_record(), hostile_record()])
def test_every_text_reads_back_from_the_page(record: AuditRecord) -> None:
    shown = paragraphs(Page(reports.render_html(record)))
    explained = [i for i in record.instances if i.attributions]
    expected = [_printable(part) for instance in explained for part in instance.parts]
    assert shown[: len(expected)] == expected


@st.composite
def _cut_texts(draw: st.DrawFn) -> Cut:
    text = draw(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
    edges = sorted(draw(st.sets(st.integers(0, len(text)), max_size=8)))
    spans = [Span(0, low, high) for low, high in zip(edges[::2], edges[1::2], strict=False)]
    values = draw(st.lists(st.floats(-9, 9), min_size=len(spans), max_size=len(spans)))
    return text, spans, values


@given(_cut_texts())
def test_pieces_join_to_the_text_wherever_it_is_cut(
    cut: tuple[str, list[Span], list[float]],
) -> None:
    text, spans, values = cut
    (found,) = pieces((text,), spans, values)
    assert "".join(piece.text for piece in found) == text
    assert all(piece.text and -8 <= piece.level <= 8 for piece in found)


@examples(20)
@given(_cut_texts())
def test_any_text_reads_back_from_an_attribution_page(cut: Cut) -> None:
    text, spans, values = cut
    record = attribution("x").model_copy(
        update={"parts": (text,), "spans": tuple(spans), "values": tuple(values)}
    )
    assert paragraphs(Page(reports.render_html(record))) == [_printable(text)]


def test_text_that_the_model_never_read_is_struck_through_and_counted() -> None:
    record = attribution("read unread", unread=(Span(0, 5, 11),))
    page = Page(reports.render_html(record))
    assert page.texts("s") == ["unread"]
    assert any("6 of 11 characters, which the model cut off" in text for text in page.texts("p"))


def test_a_sentence_that_was_explained_by_its_words_is_marked_and_all_are_listed() -> None:
    record = attribution_by_sentences()
    page = Page(reports.render_html(record))
    assert paragraphs(page) == list(record.parts)
    marked = {a["class"]: text for _, a, text in page.contents if "refined" in a.get("class", "")}
    assert marked == {"refined down": "Not a bad film!"}
    assert "All 3 sentences, which were explained first" in page.texts("summary")
    listed = [" ".join(text.split()) for text in page.texts("tr")]
    assert "A slow start. (1) +0.50" in listed
    assert "Not a bad film! (2) −0.75 then by words" in listed
    (note,) = (text for text in page.texts("li") if "SHAP" in text)
    assert (
        "Explained by sentences first, then by the words of the one that matters most, up to 0.03 "
        "added to each word so that a sentence is the sum of its words, exact for the sentences, "
        "256 evaluations, error not estimated"
    ) in note


# ── The page ──────────────────────────────────────────────────────────────────────────────────────


@every_record
def test_every_link_has_a_target_and_ids_are_unique(record: Rendered) -> None:
    page = Page(reports.render_html(record))
    links = {a["href"] for tag, a in page.elements if tag == "a"}
    assert links <= {f"#{id}" for id in page.ids()}
    assert max(Counter(page.ids()).values()) == 1
    assert all(id.isascii() and id.isprintable() and " " not in id for id in page.ids())
    labels = {a["aria-labelledby"] for _, a in page.elements if "aria-labelledby" in a}
    assert labels <= set(page.ids())


@every_record
def test_nothing_in_the_page_can_run_load_or_style_itself(record: Rendered) -> None:
    page = Page(reports.render_html(record))
    tags = [tag for tag, _ in page.elements]
    names = {name for _, attributes in page.elements for name in attributes}
    kinds = [a.get("type") for tag, a in page.elements if tag == "script"]
    assert kinds in (["application/octet-stream", None], [None])
    assert tags.count("style") == 1
    assert not {"img", "iframe", "object", "embed", "form", "base", "b\0"} & set(tags)
    assert not {name for name in names if name.startswith("on")} | {"src", "style"} & names


@every_record
def test_policy_names_the_very_bytes_of_the_style_and_the_script(record: Rendered) -> None:
    html = reports.render_html(record)
    page = Page(html)
    policy = next(a["content"] for _, a in page.elements if "http-equiv" in a)
    assert policy.startswith("default-src 'none'; ")
    for tag in ("script", "style"):
        (inlined,) = re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inlined.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


@every_record
def test_every_drawing_has_a_title_and_a_description(record: Rendered) -> None:
    html = reports.render_html(record)
    assert len(re.findall(r"<svg[^>]*>\s*<title>", html)) == html.count("<svg")
    assert len(re.findall(r"</title>\s*<desc>", html)) == html.count("<svg")


@every_record
def test_every_header_of_a_table_says_what_it_heads(record: Rendered) -> None:
    page = Page(reports.render_html(record))
    assert all("scope" in a for tag, a in page.elements if tag == "th")


def test_templates_trust_nothing_and_compute_no_markup() -> None:
    files = list(templates_folder().iterdir())
    assert files
    for file in files:
        assert not re.search(r"\|\s*safe|Markup|autoescape|innerHTML", file.read_text()), file


def test_page_without_instances_is_small_enough_to_mail() -> None:
    record = audit_record().model_copy(update={"instances": ()})
    html = reports.render_html(record)
    assert len(html.encode()) < 80_000
    (script,) = re.findall("<script>(.*?)</script>", html, re.DOTALL)
    assert len(script.encode()) < 25_000


def test_a_hundred_explained_instances_are_small_enough_to_mail() -> None:
    text = " ".join(["word"] * 60)
    methods = ("shap", "lime", "integrated_gradients")
    long = (
        audit_record()
        .instances[0]
        .model_copy(
            update={
                "parts": (text,),
                "attributions": tuple(attribution(text, method=method) for method in methods),
            }
        )
    )
    instances = tuple(long.model_copy(update={"id": str(number)}) for number in range(100))
    record = audit_record().model_copy(update={"instances": instances})
    assert len(reports.render_html(record).encode()) < 4_000_000


def test_only_the_text_itself_keeps_invisible_characters() -> None:
    html = reports.render_html(attribution("a", label="x\u202ey\x1b"))
    assert "\u202e" not in html
    assert "\x1b" not in html
    assert "x⟨U+202E⟩y␛" in html


# ── What it says ──────────────────────────────────────────────────────────────────────────────────


def _verdict(record: AuditRecord) -> str:
    page = Page(reports.render_html(record))
    return next(text for _, a, text in page.contents if a.get("class", "").startswith("verdict"))


def _criterion(verdict: str, *, gating: bool = True) -> JudgedCriterion:
    measured = Measure(name="accuracy", value=0.9, lower=0.8, upper=1.0, n=10)
    return JudgedCriterion.model_validate(
        {
            "metric": "performance.accuracy",
            "title": "accuracy",
            "at_least": 0.85,
            "gating": gating,
            "measure": measured,
            "verdict": verdict,
            "reason": "the interval",
        }
    )


@pytest.mark.parametrize(
    ("criteria", "word"),
    [
        ((), "1 major, 1 minor"),
        ((_criterion("fail", gating=False),), "1 major, 1 minor"),
        ((_criterion("pass"), _criterion("fail", gating=False)), "✓ Passes"),
        ((_criterion("pass"), _criterion("inconclusive")), "○ Inconclusive"),
        ((_criterion("inconclusive"), _criterion("fail")), "✗ Fails"),
    ],
)
def test_verdict_follows_from_the_gating_criteria_alone(
    criteria: tuple[JudgedCriterion, ...], word: str
) -> None:
    record = audit_record().model_copy(update={"criteria": criteria})
    assert _verdict(record).strip().startswith(word)


@pytest.mark.parametrize("severity", ["critical", "major", "minor"])
def test_without_criteria_the_box_counts_the_findings_in_the_colour_of_the_gravest(
    severity: str,
) -> None:
    record = _with_findings(2, severity).model_copy(update={"criteria": ()})
    page = Page(reports.render_html(record))
    (box,) = ((a, text) for _, a, text in page.contents if a.get("id") == "verdict")
    assert box[0]["class"] == f"verdict {severity}"
    assert box[1].split() == f"2 {severity} no acceptance criteria were set 2 findings".split()
    silent = tuple(s.model_copy(update={"findings": ()}) for s in record.sections)
    assert "No findings" in reports.render_html(record.model_copy(update={"sections": silent}))


def _steps(page: Page, start: str) -> set[str]:
    """Return where one click leads from within an element."""
    return {href.removeprefix("#") for href, around in page.links if start in around}


def test_three_clicks_lead_from_the_verdict_to_a_finding_its_figure_and_an_instance() -> None:
    html = reports.render_html(audit_record())
    page = Page(html)
    assert {"criteria", "findings"} <= _steps(page, "verdict")
    assert "performance" in _steps(page, "findings") & _steps(page, "criteria")
    assert "i-77e0" in _steps(page, "performance")
    figures = html[html.index('<section id="performance"') :].split("</section>")[0]
    assert figures.count("<figure>") == figures.count("The numbers of this figure") > 0


def test_a_finding_is_said_once_and_its_section_leads_to_it() -> None:
    page = Page(reports.render_html(audit_record()))
    assert {"finding-1", "finding-2"} <= _steps(page, "data")
    assert not {"finding-1", "finding-2"} & _steps(page, "performance")
    items = [text for _, a, text in page.contents if a.get("id") == "finding-1"]
    assert " ".join(items[0].split()) == (
        "major Negation is misread. wrong with “not” .259 [.199, .330], n = 174. "
        "Evidence: Performance, row 2, row 4, e2 Add negated sentences to the training data."
    )
    assert sum("Negation is misread." in text for text in page.texts("b")) == 1
    assert "Reported as finding 1 major, finding 2 minor." in _plain(page.texts("p"))


def _plain(texts: list[str]) -> list[str]:
    return [" ".join(text.split()) for text in texts]


def _with_findings(number: int, severity: str = "major", **update: object) -> AuditRecord:
    """Return the audit with so many findings, each with what `update` says of it by its place."""
    record = audit_record()
    first, *rest = record.sections
    many = tuple(
        first.findings[0].model_copy(
            update={"claim": f"Claim {place}.", "subject": str(place), "severity": severity}
            | {name: call(place) for name, call in update.items() if callable(call)}
        )
        for place in range(number)
    )
    sections = (first.model_copy(update={"findings": many}), *rest)
    return record.model_copy(update={"sections": sections})


def test_what_a_finding_explains_stands_under_it() -> None:
    causes = {1: "performance.negation[0]", 2: "performance.negation[1]", 3: "slices.none"}
    page = Page(reports.render_html(_with_findings(4, cause=causes.get)))
    around = {a["id"]: text for _, a, text in page.contents if "finding-" in a.get("id", "")}
    said = {id: re.findall(r"Claim (\d)", text) for id, text in around.items()}
    assert said == {
        "finding-1": ["0", "1", "2"],
        "finding-2": ["1", "2"],
        "finding-3": ["2"],
        "finding-4": ["3"],
    }
    assert "Follows from finding 2:" in _plain(page.texts("p"))


@examples(20)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=6))
def test_every_finding_is_on_the_page_once_whatever_explains_it(causes: list[int]) -> None:
    """Also in circles, and of itself."""
    record = _with_findings(
        len(causes), cause=lambda place: f"performance.negation[{causes[place]}]"
    )
    page = Page(reports.render_html(record))
    shown = sorted(id for id in page.ids() if id.startswith("finding-"))
    assert shown == [f"finding-{place}" for place in range(1, len(causes) + 1)]


def test_what_a_finding_sums_up_is_a_table_in_a_fold() -> None:
    members = Table(title="All slices of language", columns=("slice", "rows"), rows=(("de", 9),))
    html = reports.render_html(_with_findings(1, members=lambda _: members))
    item = html[html.index('id="finding-1"') :].partition("</li>")[0]
    assert "<summary>All slices of language</summary>" in item
    assert '<th scope="row" dir="auto">de</th>' in " ".join(item.split()).replace(
        "> ", ">"
    ).replace(" <", "<")


def test_a_number_that_the_claim_states_is_not_said_again() -> None:
    measured = Measure(name="share wrong", value=0.25, lower=0.2, upper=0.31, n=200)
    stated = Sentence("It is wrong in {m} of the cases.", m=measured)
    silent = _with_findings(1, measure=lambda _: measured, claim=lambda _: stated)
    loud = _with_findings(1, measure=lambda _: measured, claim=str)
    assert "share wrong .250" not in reports.render_html(silent)
    said = "share wrong .250 [.200, .310], n = 200. Evidence"
    assert said in reports.render_html(loud)


@pytest.mark.parametrize(("number", "shown"), [(1, 1), (7, 7), (9, 7)])
def test_seven_findings_are_shown_and_the_rest_is_folded(number: int, shown: int) -> None:
    html = reports.render_html(_with_findings(number))
    before, _, folded = html.partition("All other findings")
    assert before.count('id="finding-') == shown
    assert folded.count('id="finding-') == number - shown
    assert ("All other findings" in html) == (number > shown)


def test_criteria_say_when_they_were_frozen_and_that_their_hash_is_the_same() -> None:
    record = audit_record()
    html = reports.render_html(record)
    said = "They were frozen in criteria.json on 20 November 2026, before anything was scored."
    assert html.count(said) == 2
    assert html.count(f"have the same hash: sha256 {record.criteria_sha256}") == 2
    unkept = record.model_copy(update={"criteria_frozen_on": None})
    assert "The run itself hashed them before anything was scored" in reports.render_html(unkept)


def test_the_table_of_an_instance_keeps_the_cells_by_which_a_reviewer_knows_it() -> None:
    html = reports.render_html(audit_record())
    assert "<span>ticket <bdi>T-1041</bdi></span>" in html


def test_audit_without_criteria_shows_the_key_measures_after_the_findings() -> None:
    record = audit_record().model_copy(update={"criteria": ()})
    html = reports.render_html(record)
    assert html.index(">Findings</h2>") < html.index(">Performance at a glance<")
    assert "no acceptance criteria were set" in html


def test_audit_without_findings_says_what_was_looked_at() -> None:
    record = audit_record()
    silent = tuple(s.model_copy(update={"findings": ()}) for s in record.sections)
    html = reports.render_html(record.model_copy(update={"sections": silent}))
    assert "No check reported a finding." in html
    assert "Checks that ran: Data, Performance, Reliability of the explanations." in html
    assert "Checks that measured nothing: Fairness." in html


def test_everything_that_was_not_measured_is_listed_with_its_reason() -> None:
    html = reports.render_html(audit_record())
    for said in (
        "<b>Fairness</b>: no column names a group",
        "<b>predict, 2 rows</b>: the text is empty",
        "<b>shap, 1 row</b>: 312 features",
        "<b>text of 1 row</b>: the model cut off and never read",
    ):
        assert said in html
    assert "6 not measured" in html


def test_run_log_is_shown_where_there_is_one() -> None:
    assert "Log of the run" not in reports.render_html(audit_record())
    assert "calls 14, texts 872" in reports.render_html(audit_record(), run_log())


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        (attribution("a b", errors=(0, 0), algorithm="exact"), "Exact, 256 evaluations."),
        (attribution("a b", errors=(0, 0)), "256 evaluations, exact."),
        (attribution("a b", algorithm="kernel"), "Kernel, 256 evaluations, error not estimated."),
        (attribution("a b", errors=(0.1, 0.214)), "256 evaluations, standard error up to 0.21."),
        (
            attribution("a b", method="lime", r2=0.784, held_out_r2=0.5),
            "R² .78, held out .50, error not estimated.",
        ),
        (
            attribution("a b", steps=64, converged=True, relative_gap=0.004),
            "64 steps, completeness gap 0.4 %, error not estimated.",
        ),
        (
            attribution("a b", steps=512, converged=False, relative_gap=0.07),
            "did not converge: gap 7 % after 512 steps",
        ),
        (attribution("a b", ended_by="exact"), "Exact values, computed from 256 test texts."),
        (
            attribution("a b", ended_by="tolerance"),
            "256 test texts; stopped when the error was as small as requested",
        ),
        (
            attribution("a b", ended_by="budget"),
            "256 test texts; stopped at the limit, so it may be less precise",
        ),
        (
            attribution("a b", steps=9, ended_by="seconds"),
            "256 gradients; stopped when the time was up",
        ),
        (
            attribution("a b", sentences={"ended_by": "exact"}, words=[{"ended_by": "budget"}, {}]),
            "Computed from 256 test texts; stopped at the limit, so it may be less precise",
        ),
        (attribution("a b", gap=0.3), "the values add up to +0.50, but v(N) − v(empty) is +0.80"),
        (attribution("a b", grade="D"), "grade D"),
        (
            attribution("a b").model_copy(update={"empty_value": 0.2}),
            "answers “negative” even for an empty text, so “negative” is partly its default",
        ),
    ],
)
def test_every_attribution_states_its_error_in_words(shown: Attribution, said: str) -> None:
    assert said in reports.render_html(shown)


def test_what_holds_for_every_method_is_said_once() -> None:
    said = (
        "the model answers “negative” even for an empty text, so “negative” is partly its default"
    )
    sample = audit_record()
    first = next(i for i in sample.instances if len(i.attributions) > 1)
    baseless = tuple(a.model_copy(update={"empty_value": 0.2}) for a in first.attributions)
    changed = first.model_copy(update={"attributions": baseless})
    record = sample.model_copy(update={"instances": (changed,)})
    assert reports.render_html(record).count(said) == 1


def test_a_gap_is_no_warning_where_none_is_promised() -> None:
    assert "the values sum to" not in reports.render_html(attribution("a b", method="lime", gap=3))


def test_largest_values_are_a_sentence_for_who_cannot_see_colours() -> None:
    html = reports.render_html(attribution("stunning but long", values=(1.9, -0.31, 0.0)))
    assert "Towards negative: “stunning” +1.90. Against: “but” −0.31." in html
    unsure = attribution("stunning but long", values=(1.9, -0.31, 0.0), errors=(0.3, 0.2, 0.1))
    html = reports.render_html(unsure)
    assert "Towards negative: “stunning” +1.90.<" in html
    assert "Against: “but”" not in html


def test_a_rank_is_claimed_only_where_intervals_separate() -> None:
    record = attribution("a b c", values=(3.0, -1.0, 0.9), errors=(0.1, 0.2, 0.2))
    page = Page(reports.render_html(record))
    ranks = {text: a["class"] for tag, a, text in page.contents if "rank" in a.get("class", "")}
    assert ranks == {"rank": "rank", "1": "rank", "2–3": "rank unresolved"}
    unknown = Page(reports.render_html(attribution("a b c")))
    assert not any("rank" in a.get("class", "").split() for _, a, _ in unknown.contents)


def test_a_whisker_is_drawn_for_each_error_and_spans_the_interval() -> None:
    html = reports.render_html(attribution("a b", values=(2.0, -1.0), errors=(0.5, 0.0)))
    ((x, width, low, high),) = re.findall(
        r'<rect x="([\d.]+)" y="2" width="([\d.]+)"[^>]*/><path d="M([\d.]+) 7H([\d.]+)"', html
    )
    assert (float(low) + float(high)) / 2 == pytest.approx(float(x) + float(width), abs=0.2)
    assert (float(high) - float(low)) / float(width) == pytest.approx(2 * 1.96 * 0.5 / 2, abs=0.02)


def test_a_method_of_grade_d_is_greyed_and_every_grade_has_its_reasons() -> None:
    html = reports.render_html(attribution("a b", grade="D", reasons=("It is a guess.",)))
    assert '<div class="doubtful">' in html
    assert "Greyed out: SHAP has grade D on this text. It is a guess." in html
    html = reports.render_html(attribution("a b", grade="B", reasons=("It is slow.",)))
    assert '<div class="doubtful">' not in html
    assert re.search(r"<b>SHAP</b> <span class=.grade gB.>.*B</span>\s+It is slow\.", html)


def test_trust_strip_names_the_grade_of_each_method_and_leads_to_its_reasons() -> None:
    record = audit_record()
    page = Page(reports.render_html(record))
    (strip,) = (text for _, a, text in page.contents if a.get("class") == "strip")
    assert re.findall(r"(\w+)\s+grade (\w)", strip) == [
        ("SHAP", "A"),
        ("LIME", "B"),
        ("gradients", "D"),
    ]
    assert [a["href"] for tag, a, _ in page.contents if tag == "a"].count("#trust") == 4
    assert "Why each grade" in page.texts("summary")
    reasons = [text for text in page.texts("li") if text.startswith("LIME: ")]
    assert ["It does not state its errors. Whether it is stable" in text for text in reasons] == [
        True
    ]
    without = record.model_copy(
        update={"sections": tuple(s for s in record.sections if s.id != "trust")}
    )
    assert "#trust" not in reports.render_html(without)


def test_grades_of_attributions_are_counted_where_the_method_has_none() -> None:
    page = Page(reports.render_html(audit_record().model_copy(update={"trust": ()})))
    (strip,) = (text for _, a, text in page.contents if a.get("class") == "strip")
    assert "SHAP grade A × 1 grade C × 1" in " ".join(strip.split())


def test_methods_that_disagree_are_named_with_the_words_in_dispute() -> None:
    page = Page(reports.render_html(audit_record()))
    said = [text.removeprefix("⚠ ") for _, a, text in page.contents if a.get("class") == "dispute"]
    assert said == [
        "SHAP and Integrated gradients agree no better than chance: τ-b is .31, and chance reaches "
        ".36.",
        "SHAP and Integrated gradients give opposite signs to “paean”, “pro”.",
        "SHAP and Integrated gradients cannot be compared: one of them gives all features the same "
        "value.",
        "SHAP and Integrated gradients give opposite signs to “man (1)”.",
    ]
    assert page.texts("summary").count("How far the methods agree") == 2


def test_a_feature_of_a_pair_is_named_once_with_the_text_that_it_stands_in() -> None:
    record = audit_record()
    provenance = record.provenance.model_copy(
        update={"arguments": {"text": "premise", "text_pair": "hypothesis"}}
    )
    for shown, side in (
        (record, "1"),
        (record.model_copy(update={"provenance": provenance}), "premise"),
    ):
        heads = [" ".join(text.split()) for text in Page(reports.render_html(shown)).texts("th")]
        assert f"guitar ({side})" in heads
        assert not [head for head in heads if head.count("(") > 1]


@pytest.mark.parametrize(("last", "folded"), [(0, True), (1, False)])
def test_a_table_whose_rows_all_say_the_same_is_folded(last: int, folded: bool) -> None:
    rows = (("a", 0), ("b", 0), ("c", 0), ("d", last))
    table = Table(title="Sentences by word", columns=("word", "flips"), rows=rows)
    record = audit_record()
    section = record.sections[0].model_copy(update={"tables": (table,)})
    html = reports.render_html(record.model_copy(update={"sections": (section,)}))
    assert ("Sentences by word: all rows say the same" in html) == folded


# ── Terms and rules ───────────────────────────────────────────────────────────────────────────────


def test_the_first_use_of_a_term_in_a_section_leads_to_its_meaning() -> None:
    html = reports.render_html(audit_record())
    section = html[html.index('<section id="performance"') :].partition("</section>")[0]
    assert section.count('href="#term-accuracy"') == 1
    assert section.count('href="#term-matthews"') == 1
    assert '<dt id="term-matthews">Matthews correlation</dt>' in html


@given(st.text(st.sampled_from("recall SHAP,.\u0130ß-"), max_size=60), st.integers(1, 3))
def test_linking_terms_changes_no_text_and_links_each_once(text: str, times: int) -> None:
    linked = TermLinks()
    stretches = [linked(text) for _ in range(times)]
    assert all("".join(part for part, _ in each) == text for each in stretches)
    hrefs = [href for each in stretches for _, href in each if href]
    assert len(set(hrefs)) == len(hrefs)
    assert set(hrefs) <= {f"#{entry.anchor}" for entry in ENTRIES}


def test_every_section_says_what_counts_as_a_finding() -> None:
    page = Page(reports.render_html(audit_record()))
    assert page.texts("summary").count("What was done, and what counts as a finding") == 3


# ── Files ─────────────────────────────────────────────────────────────────────────────────────────


def test_page_is_written_byte_for_byte_into_folders_that_are_made(tmp_path: Path) -> None:
    path = reports.write_html(hostile_record(), tmp_path / "new" / "audit.html")
    assert path.read_bytes() == reports.render_html(hostile_record()).encode()
    assert [file.name for file in path.parent.iterdir()] == ["audit.html"]


@pytest.mark.parametrize("name", ["x.html", "x.HTM", "x.md", "x.MD", "new/x.json"])
def test_a_report_has_the_format_of_its_file_name(name: str, tmp_path: Path) -> None:
    record = audit_record()
    expected = {
        ".htm": reports.render_html(record),
        ".html": reports.render_html(record),
        ".md": reports.render_markdown(record),
        ".json": record.to_json(),
    }
    path = reports.write_report(record, tmp_path / name)
    assert path.read_bytes() == expected[path.suffix.lower()].encode()


@pytest.mark.parametrize("name", ["x.pdf", "x", ".md", "x.md.gz", "x.docx"])
def test_a_report_of_an_unknown_format_is_refused_and_not_written(
    name: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match=r"name it \.html, \.htm, \.md, \.json"):
        reports.write_report(audit_record(), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "what", [[audit_record()], (), {"a": 1}, "audit.json", None, interactions("a b", pairs=())]
)
def test_what_is_no_record_is_refused_by_everything_that_renders(what: Any, tmp_path: Path) -> None:
    for render in (
        reports.render_html,
        reports.render_markdown,
        reports.notebook_html,
        lambda record: reports.write_html(record, tmp_path / "x.html"),
        lambda record: reports.write_report(record, tmp_path / "x.md"),
    ):
        with pytest.raises(ConfigurationError, match="a report is rendered of an AuditRecord"):
            render(what)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("failing", ["render_html", "replace"])
def test_a_page_that_fails_leaves_the_old_one_and_nothing_else(
    failing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError("disk full")

    path = tmp_path / "audit.html"
    path.write_text("old")
    monkeypatch.setattr(reports if failing == "render_html" else Path, failing, fail)
    with pytest.raises(OSError, match="disk full"):
        reports.write_html(audit_record(), path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_importing_reports_loads_neither_jinja2_nor_anything_that_computes() -> None:
    script = (
        "import sys, reports; print(*{'jinja2', 'numpy', 'pydantic', 'rich'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == ""


def test_rendering_loads_nothing_that_computes() -> None:
    script = "import reports, tests.helpers.records as r; reports.render_html(r.audit_record())"
    assert not _loaded_by(script) & {"numpy", "rich", "torch"}


def _loaded_by(script: str) -> set[str]:
    command = [sys.executable, "-c", f"{script}; import sys; print(*sys.modules)"]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(run.stdout.split())


def test_rows_of_one_metric_are_told_apart_by_their_slices() -> None:
    def measure(slice_: str, name: str = "accuracy") -> Measure:
        return Measure(name=name, value=0.5, lower=0.4, upper=0.6, n=9, slice=slice_)

    def labels(*measures: Measure) -> list[str]:
        view = figure_view(IntervalsFigure(title="t", description="d", measures=measures))
        assert isinstance(view.drawing, IntervalsDrawing)
        return [row.label for row in view.drawing.rows]

    assert labels(measure("language = de"), measure("language = fr")) == [
        "language = de",
        "language = fr",
    ]
    assert labels(measure("a"), measure("a", "recall")) == ["accuracy", "recall"]
    assert labels(measure("all")) == ["accuracy"]
    recalls = [Sentence("recall of {label} in {place}", label=x, place="y") for x in ("pos", "neg")]
    assert labels(*(measure("all", name) for name in recalls)) == ["pos", "neg"]
    assert labels(measure("a", recalls[0]), measure("a")) == [recalls[0], "accuracy"]
    both = [Sentence("{a} and {b}", a=a, b=b) for a, b in (("1", "2"), ("2", "3"))]
    assert labels(*(measure("all", name) for name in both)) == ["1, 2", "2, 3"]
