"""Renderings other than HTML say the same, and let nothing out either."""

import io
import re
from collections.abc import Sequence

import pytest
from rich.console import Console

import reports
from explain.record import Attribution, AuditRecord, Finding, Interaction, Interactions
from reports.languages import speaking
from reports.markdown import escape
from reports.terminal import print_attribution, print_audit, print_interactions
from reports.text import shorten, visible
from tests.helpers.records import (
    HOSTILE,
    attribution,
    attribution_by_sentences,
    audit_record,
    hostile_record,
    interactions,
)


def _printed(record: Attribution, *, color: bool = False) -> str:
    console = Console(
        file=io.StringIO(),
        width=100,
        force_terminal=color,
        color_system="truecolor" if color else None,
    )
    print_attribution(record, console)
    return _written(console)


def _printed_pairs(found: Interactions) -> str:
    console = Console(file=io.StringIO(), width=100)
    print_interactions(found, console)
    return _written(console)


def _printed_audit(record: AuditRecord) -> str:
    console = Console(file=io.StringIO(), width=40)
    print_audit(record, console)
    return _written(console)


def _written(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


# ── Terminal ──────────────────────────────────────────────────────────────────────────────────────


def test_terminal_shows_text_ranked_values_and_error() -> None:
    shown = _printed(attribution("so not good", values=(0.1, -0.5, 2.0), errors=(0.0, 0.1, 0.2)))
    assert "so not good" in shown
    assert re.search(r"1 +good +│█{8} +\+2\.00 +± 0\.20\n2 +not +██│ +−0\.50 +± 0\.10", shown)
    assert "v(empty) −0.31, v(N) +1.29" in shown
    assert "standard error up to 0.20" in shown


def test_terminal_shows_ranks_grade_and_why_it_ended() -> None:
    shown = _printed(
        attribution(
            "so not good",
            values=(0.1, -0.5, 2.0),
            errors=(0.2, 0.2, 0.2),
            grade="B",
            reasons=("It is slow.", HOSTILE),
            ended_by="tolerance",
        )
    )
    assert re.search(r"^2–3 +not ", shown, re.MULTILINE)
    assert "A rank such as 2–4 is not resolved: 95 % intervals overlap." in shown
    assert (
        "Computed from 256 test texts; stopped when the error was as small as requested." in shown
    )
    assert "Grade B. It is slow. </script>" in shown
    assert "␛[31m" in shown.replace("\n", "")
    assert "2–4" not in _printed(attribution("so good", errors=(0.0, 0.0)))


def test_terminal_lists_first_the_pairs_that_surely_act_together() -> None:
    found = interactions(
        "not a good",
        pairs=(
            Interaction(first=0, second=1, value=1.2, standard_error=0.7),
            Interaction(first=0, second=2, value=-0.9, standard_error=0.1),
            Interaction(first=1, second=2, value=0.0, standard_error=0.0),
        ),
        ended_by="budget",
    )
    shown = _printed_pairs(found)
    assert "Interactions: which words act together for “negative”?" in shown
    assert re.search(
        r"not +good +−0\.90 +± 0\.10 *\nnot +a +\+1\.20 +± 0\.70 +may be 0 *\na +good +0\.00 ",
        shown,
    )
    assert "1 of 3 pairs have a 95 % interval that excludes 0; removed: [MASK]" in shown
    assert "Computed from 96 test texts; stopped at the limit, so it may be less precise" in shown


def test_terminal_gets_no_control_character_of_interactions() -> None:
    found = interactions(
        HOSTILE, HOSTILE, pairs=(Interaction(first=0, second=40, value=1.0, standard_error=0.0),)
    )
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202e]", _printed_pairs(found))


def test_terminal_says_when_the_error_is_not_estimated() -> None:
    assert "error not estimated" in _printed(attribution("so good"))


def test_terminal_says_that_sentences_came_first() -> None:
    shown = " ".join(_printed(attribution_by_sentences()).split())
    assert "first, then by the words of the one that matters most" in shown


def test_terminal_shortens_a_sentence_in_the_list_of_features() -> None:
    text = "word" * 20
    shown = _printed(attribution(text))
    assert text in shown.splitlines()[1]
    assert "…" in shown


def test_terminal_marks_both_directions_without_colour() -> None:
    codes = re.findall(r"\x1b\[([\d;]*)m(\w+)", _printed(attribution("up down"), color=True))
    style = {word: codes.split(";")[0] for codes, word in codes}
    assert style["up"] == "4"
    assert style["down"] == "21"


@pytest.mark.parametrize("color", [False, True])
def test_terminal_gets_no_control_character_of_the_text(color: bool) -> None:
    record = attribution(HOSTILE, label=HOSTILE, method=HOSTILE, algorithm=HOSTILE)
    shown = re.sub(r"\x1b\[[\d;]*m", "", _printed(record, color=color))
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202e]", shown)
    assert "␛[31m" in shown.replace("\n", "")


def test_terminal_says_the_verdict_what_was_not_passed_and_the_gravest_findings() -> None:
    assert _printed_audit(audit_record()).splitlines() == [
        "✗ Fails: 1 of 2 criteria failed; 1 more is not gating",
        "  fail  accuracy, negation = yes ≥ .85, n ≥ 100: .741 [.670, .801]; "
        "the whole 95 % interval lies below 0.85",
        "  inconclusive  impact ratio, called positive, all rows (not gating) ≥ .8; "
        "not measured. Fairness: no column names a group",
        "2 findings: 1 major, 1 minor",
        "  major  Negation is misread.",
        "  minor  No text is longer than 60 words.",
        "5 of 8 rows scored, 3 explained, 3 skipped, 6 not measured",
    ]


def test_terminal_speaks_chinese_and_keeps_names() -> None:
    with speaking("zh"):
        shown = _printed_audit(audit_record()).splitlines()
        pairs, values = (
            _printed_pairs(interactions("a b", pairs=())),
            _printed(attribution("a good film")),
        )
    assert shown[0] == "✗ 不通过：2 项准则中有 1 项不通过；另有 1 项非一票否决"
    assert shown[1].startswith(
        "  不通过  准确率，negation = yes ≥ 0.85，n ≥ 100：0.741 [0.670, 0.801]；"
    )
    assert shown[-1] == "共 8 行：评分 5 行，解释 3 行，跳过 3 行；6 项未测量"
    assert not [
        line for line in (*shown[2:], pairs, values) if re.search("removed|skipped|95 %", line)
    ]


def _repeated(findings: Sequence[Finding], times: int) -> tuple[Finding, ...]:
    """Return findings that say the same of several things."""
    return tuple(
        finding.model_copy(update={"subject": str(i)}) for finding in findings for i in range(times)
    )


def test_terminal_counts_the_findings_that_it_does_not_list() -> None:
    record = audit_record()
    first, *rest = record.sections
    many = first.model_copy(update={"findings": _repeated(first.findings, 4)})
    shown = _printed_audit(record.model_copy(update={"sections": (many, *rest)}))
    assert "8 findings" in shown
    assert shown.count("  major  ") == 3
    assert "  and 5 more" in shown


def test_terminal_gets_no_control_character_of_an_audit_and_a_line_for_each_thing() -> None:
    shown = _printed_audit(hostile_record())
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202e]", shown)
    assert len(shown.splitlines()) == 6


# ── Markdown ──────────────────────────────────────────────────────────────────────────────────────


def test_markdown_of_hostile_labels_holds_no_markup() -> None:
    shown = reports.render_markdown(hostile_record())
    assert not re.search(r"(?<!\\)[<`]", shown.replace(f"`{_hash(shown)}`", ""))
    assert not re.search(r"[@#]\w", shown)
    assert "\x1b" not in shown


def _hash(markdown: str) -> str:
    (found,) = re.findall(r"record `([0-9a-f]{64})`", markdown)
    return str(found)


def test_markdown_table_keeps_its_columns_whatever_a_cell_holds() -> None:
    rows = [row for row in reports.render_markdown(hostile_record()).splitlines() if row[:1] == "|"]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {6}


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("a *b* _c_", r"a \*b\* \_c\_"),
        ("[x](http://y)", r"\[x\](http\://y)"),
        ("www.x.org", r"www\.x.org"),
        ("ask @all about #1", "ask @\u200ball about #\u200b1"),
        ("two\nlines", "two↵lines"),
    ],
)
def test_markdown_escapes(text: str, escaped: str) -> None:
    assert escape(text) == escaped


def test_markdown_lists_seven_findings_and_counts_the_rest() -> None:
    record = audit_record()
    first, *rest = record.sections
    many = first.model_copy(update={"findings": _repeated(first.findings, 5)})
    shown = reports.render_markdown(record.model_copy(update={"sections": (many, *rest)}))
    assert shown.count("- **Negation is misread.** (major)") == 5
    assert shown.count("- **No text is longer than 60 words.** (minor)") == 2
    assert "- and 3 more, in the report" in shown


def test_markdown_without_criteria_shows_the_key_measures() -> None:
    shown = reports.render_markdown(audit_record().model_copy(update={"criteria": ()}))
    assert r"| accuracy | .876 \[.853, .896\] | 872 |" in shown


def test_markdown_names_the_grade_of_each_method_with_its_reasons() -> None:
    record = audit_record()
    assert "- **LIME**: B. It does not state its errors. Whether it" in reports.render_markdown(
        record
    )
    ungraded = reports.render_markdown(record.model_copy(update={"trust": ()}))
    assert "- **SHAP**: A × 1, C × 1.\n" in ungraded
    nothing = record.model_copy(update={"trust": (), "instances": ()})
    assert "trusted" not in reports.render_markdown(nothing)


# ── Text ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "kept", ["plain", "naïve", "不好", "می\u200cخواهم", "👩\u200d🔬", "e\u0301"]
)
def test_what_can_be_seen_is_left_alone(kept: str) -> None:
    assert visible(kept) == kept


@pytest.mark.parametrize("width", [2, 5, 9])
def test_shortened_text_fits_its_columns(width: int) -> None:
    shown = shorten("好好好 good good", width)
    assert sum(2 if character == "好" else 1 for character in shown) <= width
    assert shown.endswith("…")
