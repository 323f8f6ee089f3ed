"""The page in Simplified Chinese: all of it, with the texts and the record as they are."""

import base64
import hashlib
import re
from pathlib import Path

import pytest

import explain
import reports
from explain.comparison import compare
from explain.record import Attribution, AuditRecord
from explain.review.importing import with_section
from explain.review.section import reviews_section
from reports import LanguageCode
from reports.comparison import write_comparison
from reports.letter import write_letter
from tests.helpers.comparisons import audit_of
from tests.helpers.pages import Page, paragraphs
from tests.helpers.records import HOSTILE, attribution, audit_record, hostile_record, run_log
from tests.helpers.reviews import instances, review
from tests.helpers.visible_english import english_in

RECORDS = [
    pytest.param(audit_record(), id="audit"),
    pytest.param(hostile_record(), id="hostile"),
    pytest.param(attribution(HOSTILE, HOSTILE, label=HOSTILE), id="attribution"),
]
every_record = pytest.mark.parametrize("record", RECORDS)


@pytest.fixture(scope="module")
def small_audit() -> AuditRecord:
    """Return an audit of a model that looks at three words."""
    words = ["good", "fine", "bad", "dull", "film", "plot", "cast", "so"]
    rows = [
        {"text": f"{words[i % 4]} {words[4 + i % 3]} {words[i % 7]} w{i}", "label": "np"[i % 4 < 2]}
        for i in range(60)
    ]

    def answer(texts: list[str]) -> list[list[float]]:
        shares = [0.9 if "good" in text else 0.7 if "fine" in text else 0.2 for text in texts]
        return [[1 - share, share] for share in shares]

    return explain.audit(
        explain.wrap(answer, labels=["n", "p"]), rows, label="label", instances=2,
        methods=["occlusion"],
        checks=["data", "performance", "calibration", "selective", "robustness", "stability"],
    )  # fmt: skip


@every_record
def test_each_text_can_be_read_back_in_chinese_as_in_english(
    record: AuditRecord | Attribution,
) -> None:
    english, chinese = (
        Page(reports.render_html(record, run_log(), language=code)) for code in ("en", "zh")
    )
    assert paragraphs(chinese) == paragraphs(english) != []
    assert chinese.ids() == english.ids()


@pytest.mark.parametrize(("code", "tag"), [("en", "en"), ("zh", "zh-CN")])
def test_a_page_says_in_which_language_it_is(code: LanguageCode, tag: str) -> None:
    page = Page(reports.render_html(audit_record(), language=code))
    assert page.elements[0] == ("html", {"lang": tag})


def test_the_policy_allows_the_script_of_the_language_alone() -> None:
    english, chinese = (reports.render_html(audit_record(), language=code) for code in ("en", "zh"))
    scripts = [re.findall("<script>(.*?)</script>", page, re.DOTALL) for page in (english, chinese)]
    assert scripts[0] != scripts[1]
    for page, (script,) in zip((english, chinese), scripts, strict=True):
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"script-src 'sha256-{digest}'" in page


def test_the_hash_on_the_page_is_that_of_the_record() -> None:
    record = audit_record()
    digest = hashlib.sha256(record.to_json().encode()).hexdigest()
    assert digest in reports.render_html(record, language="zh")
    assert digest in reports.render_markdown(record, "zh")


def test_no_sentence_of_an_audit_is_left_in_english(small_audit: AuditRecord) -> None:
    assert not english_in(reports.render_html(small_audit, language="zh"), small_audit)


def test_no_sentence_of_an_attribution_is_left_in_english(small_audit: AuditRecord) -> None:
    (first, *_) = (a for instance in small_audit.instances for a in instance.attributions)
    assert not english_in(reports.render_html(first, language="zh"), first)


def test_no_sentence_of_a_letter_is_left_in_english(
    small_audit: AuditRecord, tmp_path: Path
) -> None:
    row = next(instance.row for instance in small_audit.instances if instance.attributions)
    letter = write_letter(small_audit, row, tmp_path / "letter.html", language="zh")
    assert not english_in(letter.read_text(encoding="utf-8"), small_audit)


def test_what_reviewers_say_is_in_chinese() -> None:
    record = audit_record()
    first, second, third, *_ = record.instances
    said = review(first, "wrong_label", label="negative")
    lines = [said.model_copy(update={"reason": "two_labels", "note": "skip"})]
    lines += [review(second, "correct"), review(third, "skip")]
    reviewed = with_section(record, reviews_section(record, lines))
    page = Page(reports.render_html(reviewed, language="zh"))
    cells = {" ".join(text.split()) for text in page.texts("td")}
    assert {"正确", "跳过", "标签错误，自选标签 negative；原因：两个标签都适用；skip"} <= cells


def test_english_that_is_left_on_a_page_is_found(small_audit: AuditRecord) -> None:
    page = "<p>A row is read.</p><p>good film</p><p>not measured</p><p>第 1 行</p>"
    assert english_in(page, small_audit) == ["A row is read.", "not measured"]


def test_a_comparison_is_written_in_chinese(tmp_path: Path) -> None:
    labels = [i % 2 for i in range(200)]
    worse = [label if i % 3 else 1 - label for i, label in enumerate(labels)]
    explained = {"attributions": (attribution("text 0", values=(0.5, 0.1)),)}
    shown = [each.model_copy(update=explained) for each in instances(1)]
    compared = compare(
        audit_of(labels, labels, instances=shown), audit_of(labels, worse, instances=shown)
    )
    write_comparison(compared, tmp_path / "a.html", "zh")
    write_comparison(compared, tmp_path / "a.md", "zh")
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert not english_in(page, compared)
    assert "SHAP，第二次运行" in page
    assert "行" in (tmp_path / "a.md").read_text(encoding="utf-8")
