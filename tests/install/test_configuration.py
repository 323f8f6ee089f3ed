"""An audit does what its file says unless it is told otherwise; what it cannot do is one line."""

import inspect
import json
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
from typer.testing import CliRunner

import explain
import explain.auditing.run
from explain import cli
from explain.adapters import FunctionClassifier
from explain.attribution.methods import GradientShap, IntegratedGradients, Lime, Shap
from explain.auditing.criteria import Criterion
from explain.auditing.plan import DEFAULT_METHODS, AuditPlan, place_of
from explain.auditing.resolve import TOLERANCE, resolve
from explain.checks import CHECKS, AuditContext, not_measured
from explain.errors import ConfigurationError
from explain.record import AuditRecord, MetricSpec, Section, SystemIdentity
from tests.helpers.command import complaints

WHOLE = """
[system]
name = "router"
owner = "Support"

[data]
text = "message"
label = "team"
id = "ticket"
group = "country"
slices = ["language", "country"]
train = "train.csv"

[explain]
methods = ["occlusion", "lime"]
instances = 2
unit = "word"
target = "neg"
budget = 64

[checks]
run = ["data", "performance"]

[[criteria]]
metric = "performance.accuracy"
at_least = 0.6
gating = true
rationale = "the rules that it replaces"

[[criteria]]
metric = "performance.recall"
of = { label = "pos" }
at_most = 0.99
minimum_n = 1_000
"""

HEADER = "ticket,message,team,country,language\n"
ROWS = [
    *(f"T-{n},a good {n},pos,de,{'en' if n % 3 else 'fr'}" for n in range(40)),
    *(f"T-{n},a bad {n},neg,fr,en" for n in range(40, 80)),
]


def scores(texts: Sequence[str]) -> list[list[float]]:
    """Return scores that tell the words good and bad."""
    return [[float(text.count("bad")), float(text.count("good"))] for text in texts]


MODEL = FunctionClassifier(scores, ["neg", "pos"], name="counter", output="scores")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a configuration, a table, and the table that the model has seen."""
    (tmp_path / "audit.toml").write_text(WHOLE)
    (tmp_path / "rows.csv").write_text(HEADER + "\n".join(ROWS))
    (tmp_path / "train.csv").write_text("message,team\nhello,pos\n")
    return tmp_path


def budget_of(options: object) -> object:
    assert isinstance(options, dict)
    return options["budget"]


def run_audit(folder: Path, **options: Any) -> AuditRecord:
    return explain.audit(MODEL, folder / "rows.csv", config=folder / "audit.toml", **options)


# ── What the file says is done ────────────────────────────────────────────────────────────────────


def test_everything_that_a_file_says_is_done_and_recorded(folder: Path) -> None:
    record = run_audit(folder)
    arguments = record.provenance.arguments
    assert (record.identity.name, record.identity.owner) == ("router", "Support")
    stated = {
        "text": "message",
        "label": "team",
        "id": "ticket",
        "group": ["country"],
        "slices": ["language", "country"],
        "training": str(folder / "train.csv"),
        "instances": 2,
        "unit": "word",
        "target": "neg",
    }
    assert {name: arguments[name] for name in stated} == stated
    methods, checks = arguments["methods"], arguments["checks"]
    assert isinstance(methods, dict)
    assert isinstance(checks, dict)
    assert {name: budget_of(options) for name, options in methods.items()} == {
        "occlusion": 64,
        "lime": 64,
    }
    assert set(checks) == {"data", "performance"}
    second = record.predictions.iloc[1]
    columns = {"ticket": "T-1", "language": "en", "country": "de"}
    assert {name: second[f"column.{name}"] for name in columns} == columns
    attributions = [a for instance in record.instances for a in instance.attributions]
    assert len(attributions) == 4
    assert {a.target.label for a in attributions} == {"neg"}
    assert set(record.predictions.predicted) == {"neg", "pos"}
    assert [(c.metric, c.verdict) for c in record.criteria] == [
        ("performance.accuracy", "pass"),
        ("performance.recall", "inconclusive"),
    ]


def test_a_target_is_said_where_the_explanations_are() -> None:
    record = explain.audit(
        MODEL,
        [{"text": "good"}, {"text": "bad"}],
        instances=2,
        target="neg",
        methods=["occlusion"],
        checks=["explanations"],
    )
    (explanations,) = (s for s in record.sections if s.id == "explanations")
    assert 'each for the label "neg", whether it is predicted or not' in explanations.summary


def test_what_is_given_explicitly_wins_over_the_file(folder: Path) -> None:
    record = run_audit(
        folder,
        group="language",
        slices=["ticket"],
        instances=0,
        methods=[Lime(), "occlusion"],
        checks=["performance"],
        training=[{"message": "hello", "team": "pos"}],
        criteria=[Criterion(metric="performance.macro_f1", at_least=0.5)],
        system=SystemIdentity(name="another"),
        budget=32,
    )
    arguments = record.provenance.arguments
    assert (arguments["group"], arguments["slices"]) == (["language"], ["ticket"])
    assert (arguments["instances"], arguments["training"]) == (0, "list")
    methods = arguments["methods"]
    assert isinstance(methods, dict)
    assert budget_of(methods["lime"]) == 512
    assert budget_of(methods["occlusion"]) == 32
    assert record.provenance.arguments["checks"] == {"performance": {}}
    assert [criterion.metric for criterion in record.criteria] == ["performance.macro_f1"]
    assert record.identity == SystemIdentity(name="another")
    assert record.provenance.arguments["text"] == "message"


def test_without_a_file_the_defaults_hold_and_with_an_empty_one_too(tmp_path: Path) -> None:
    (tmp_path / "audit.toml").write_text("")
    resolved = resolve(tmp_path / "audit.toml", {})
    assert resolved == resolve(None, {}) == resolve(AuditPlan(), {"text": None})
    assert [method.name for method in resolved.methods] == list(DEFAULT_METHODS)
    assert [check.id for check in resolved.checks] == list(CHECKS)
    plan = resolved.plan
    assert (plan.text, plan.instances, plan.unit) == ("text", 50, "word")
    assert plan.identity("model").name == "model"


def test_audits_stop_at_a_tolerance_of_their_own_unless_one_is_stated() -> None:
    methods = ["shap", Lime(), "integrated_gradients", "gradient_shap"]
    assert resolve(None, {"methods": methods}).methods == (
        Shap(tolerance=TOLERANCE), Lime(), IntegratedGradients(), GradientShap(),
    )  # fmt: skip
    limits: dict[str, Any] = {"tolerance": 0.02, "budget": 64}
    assert resolve(None, {"methods": methods[:3:2], **limits}).methods == (
        Shap(**limits), IntegratedGradients(**limits),
    )  # fmt: skip


def test_a_system_without_a_name_is_called_after_its_model() -> None:
    plan = AuditPlan(system={"owner": "me"})
    assert plan.identity("model") == SystemIdentity(name="model", owner="me")


@dataclass(frozen=True, slots=True)
class Robust:
    """A check with an option."""

    id: ClassVar[str] = "robust"
    title: ClassVar[str] = "Robust"
    metrics: ClassVar[tuple[MetricSpec, ...]] = ()
    texts: int = 100

    def run(self, context: AuditContext) -> Section:
        """Return that nothing was measured."""
        return not_measured(self, f"{self.texts} texts are too few")


def test_what_a_file_says_of_an_endpoint_is_what_it_is_loaded_with(tmp_path: Path) -> None:
    path = tmp_path / "audit.toml"
    path.write_text(
        "[endpoint]\nkind = 'chat'\nmodel = 'm'\nca = 'own.pem'\ncalls = '/logs/a'\nmax_calls = 9\n"
        "[endpoint.verbalizer]\nbad = ' bad'\ngood = [' good', ' fine']\n"
    )
    plan = AuditPlan.read(path)
    stated = {
        "kind": "chat", "model": "m", "ca": str(tmp_path / "own.pem"), "calls": "/logs/a",
        "max_calls": 9, "verbalizer": {"bad": " bad", "good": [" good", " fine"]},
    }  # fmt: skip
    assert plan.load_options == stated
    other = plan.override(kind="tei", model_options={"model": "n", "max_calls": 5})
    assert other.load_options == {**stated, "kind": "tei", "model": "n", "max_calls": 5}
    replayed = plan.override(replay="audit").load_options
    assert replayed["replay"] == "audit"
    assert "calls" not in replayed


@pytest.mark.parametrize("option", [{"kind": "tei"}, {"endpoint": {"question": "?"}}])
def test_a_model_that_is_here_takes_no_options_of_endpoints(option: dict[str, Any]) -> None:
    function = FunctionClassifier(lambda texts: [[0.5, 0.5]] * len(texts), ["a", "b"])
    with pytest.raises(ConfigurationError, match=r"is not loaded, so it has no (kind|question)"):
        explain.audit(function, [{"text": "x"}], **option)


def test_the_options_of_a_check_hold_wherever_it_was_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CHECKS, "robust", Robust)
    plan = AuditPlan(check_options={"robust": {"texts": 7}})
    assert Robust(7) in resolve(plan, {}).checks
    assert resolve(plan, {"checks": ["robust"]}).checks == (Robust(7),)
    assert resolve(plan, {"checks": [Robust(5)]}).checks == (Robust(5),)
    with pytest.raises(ConfigurationError, match=r"robust has no option 'text'; .* mean 'texts'"):
        resolve(AuditPlan(check_options={"robust": {"text": 7}}), {})


def test_every_field_of_a_plan_is_an_argument_and_most_are_options_of_the_command() -> None:
    arguments = inspect.signature(explain.audit).parameters
    assert set(AuditPlan.model_fields) < set(arguments)
    printed = CliRunner().invoke(cli.app, ["audit", "--help"], env={"COLUMNS": "200"}).output
    for name in AuditPlan.model_fields:
        option = place_of(name).option
        if option != "":
            assert (option or f"--{name.replace('_', '-')}") in printed


@pytest.mark.parametrize(
    ("command", "table"),
    [("compare", "[compare]"), ("compare", "[endpoint]"), ("judge", "[[criteria]]")],
)
def test_help_names_the_tables_of_a_file(command: str, table: str) -> None:
    printed = CliRunner().invoke(cli.app, [command, "--help"], env={"COLUMNS": "200"}).output
    assert table in printed


def test_every_field_of_a_plan_says_what_it_is() -> None:
    assert all(field.description for field in AuditPlan.model_fields.values())


# ── What a file cannot say ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("[dta]", "the top level has no 'dta'; did you mean 'data'?"),
        ("[data]\nlable = 'x'", "[data] has no 'lable'; did you mean 'label'?"),
        ("[explain]\nmethod = ['lime']", "[explain] has no 'method'; did you mean 'methods'?"),
        ("[system]\nownr = 'x'", "[system] has no 'ownr'; did you mean 'owner'?"),
        ("[checks]\nrunn = ['data']", "[checks] has no 'runn'; did you mean 'run'?"),
        ("[checks.perfomance]\nx = 1", "has no 'perfomance'; did you mean 'performance'?"),
        ("[checks.performance]\nx = 1", "performance has no option 'x'"),
        ("[checks]\nperformance = 1", "performance = 1 holds no options; write [checks.perf"),
        ("[checks]\nrun = 'data'", "[checks] cannot take run = 'data': this is not a list"),
        ("[checks]\nrun = ['dat']", "there is no check 'dat'; did you mean 'data'?"),
        ("[checks]\nrun = [1]", "there is no check 1; known are: data"),
        ("[checks]\nrun = [['data']]", "there is no check ['data']; did you mean 'data'?"),
        ("data = 5", "the top level cannot take data = 5"),
        ("[data]\nslices = 'language'", "[data] cannot take slices = 'language'"),
        ("[data]\nslices = [1]", "[data] cannot take slices = 1"),
        ("[explain]\ninstances = -1", "[explain] cannot take instances = -1"),
        ("[explain]\ninstances = true", "[explain] cannot take instances = True"),
        ("[explain]\nmethods = [1]", "there is no method 1; known are: shap"),
        ("[explain]\nmethods = 'lime'", "[explain] cannot take methods = 'lime'"),
        ("[data]\ntrain = 5", "[data] cannot take train = 5: name a file"),
        ("[explain]\ntarget = 1.5", "[explain] cannot take target = 1.5"),
        ("[explain]\nunit = 'wrd'", "there is no unit 'wrd'; did you mean 'word'?"),
        ("[explain]\nmethods = ['shapp']", "there is no method 'shapp'; did you mean 'shap'?"),
        ("[explain]\ntolerance = -1", "cannot take tolerance=-1"),
        (
            "[explain]\nmethods = ['random']\ntolerance = 0.1",
            "no chosen method has the option 'tolerance'",
        ),
        (
            "[[criteria]]\nmetric = 'performance.accuracy'",
            "[[criteria]] number 1: a criterion states at_least",
        ),
        (
            "[[criteria]]\nmetric = 'performance.accuracy'\nat_least = 0.1\nat_most = 0.2",
            "this one states both",
        ),
        (
            "[[criteria]]\nmetric = 'data.cut_texts'\nat_most = 0.1\n[[criteria]]\nmetrik = 'x'",
            "[[criteria]] number 2 has no 'metrik'; did you mean 'metric'?",
        ),
        (
            "[[criteria]]\nmetric = 'performance.accuracy'\nat_lest = 0.1",
            "[[criteria]] number 1 has no 'at_lest'; did you mean 'at_least'?",
        ),
        (
            "[[criteria]]\nmetric = 'performance.accurcy'\nat_least = 0.1",
            "did you mean 'performance.accuracy'?",
        ),
        ("[[criteria]]\nat_least = 0.1", "[[criteria]] number 1 lacks 'metric'"),
        (
            "[[criteria]]\nmetric = 'performance.accuracy'\nat_least = 85",
            "at_least = 85, which is out of ra",
        ),
        (
            "[[criteria]]\nmetric = 'performance.accuracy'\nat_least = nan",
            "cannot take at_least = nan",
        ),
        (
            "[[criteria]]\nmetric = 'performance.accuracy'\nat_least = 'x'",
            "cannot take at_least = 'x'",
        ),
        (
            "[[criteria]]\nmetric = 'performance.accuracy'\nat_least = 0.1\nminimum_n = 0",
            "minimum_n = 0",
        ),
        (
            "[checks]\nrun = ['data']\n[[criteria]]\nmetric = 'performance.auroc'\nat_least = 0.1",
            "needs the check 'performance', which is not chosen",
        ),
        ("[data", "is no TOML"),
        ("a = '\udcff'", "is no TOML"),
    ],
)
def test_a_bad_file_is_one_line_that_says_what_and_where(
    tmp_path: Path, content: str, says: str
) -> None:
    path = tmp_path / "audit.toml"
    path.write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(ConfigurationError) as raised:
        resolve(path, {})
    assert says in str(raised.value)


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"audit\.toml' cannot be read: No such file"):
        AuditPlan.read(tmp_path / "audit.toml")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"slices": "language"}, "slices = 'language': this is not a list"),
        ({"methods": "lime"}, "methods = 'lime': this is not a list"),
        ({"criteria": [{"metric": "performance.accuracy"}]}, r"\[\[criteria\]\] number 1: a crit"),
        (
            {"criteria": [{"metric": "performance.accuracy", "at_lest": 1}]},
            "did you mean 'at_least'",
        ),
        ({"lable": "x"}, "an audit has no argument 'lable'; did you mean 'label'"),
        ({"masker": 5}, "there is no masker 5; known are: mask_token, delete"),
        ({"methods": [1]}, "there is no method 1; known are: shap"),
        ({"target": "pso"}, "has no label 'pso'; did you mean 'pos'"),
        ({"id": "tcket"}, "has no column 'tcket'; did you mean 'ticket'"),
        ({"group": "contry"}, "has no column 'contry'; did you mean 'country'"),
        ({"slices": ["langage"]}, "has no column 'langage'; did you mean 'language'"),
    ],
)
def test_bad_arguments_of_an_audit_are_refused(
    folder: Path, options: dict[str, Any], says: str
) -> None:
    with pytest.raises(ConfigurationError, match=says):
        run_audit(folder, **options)


# ── On the command line ───────────────────────────────────────────────────────────────────────────

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return the command as a function to (exit code, what it printed, what it complained)."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(explain.auditing.run, "load", lambda source, **options: MODEL)

    def command(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["explain", *map(str, arguments)])
        interrupt = signal.getsignal(signal.SIGINT)
        with pytest.raises(SystemExit) as ended:
            cli.main()
        signal.signal(signal.SIGINT, interrupt)
        printed = capsys.readouterr()
        assert ended.value.code in (None, 0, 1, 2, 3)
        return int(ended.value.code or 0), printed.out, printed.err

    return command


AUDIT = ("audit", "model", "rows.csv", "--config", "audit.toml", "--explain", 0)


def record_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "audit/audit.json").read_text())
    return found


def test_a_run_prints_its_verdict_and_exits_with_0_even_if_a_criterion_is_inconclusive(
    run: Run, folder: Path
) -> None:
    code, printed, complained = run(*AUDIT)
    assert (code, complaints(complained)) == (0, [])
    assert printed.splitlines() == [
        "✓ Passes: 1 of 1 criterion passed; 1 more is not gating",
        "  inconclusive  recall of pos, all rows (not gating) ≤ .99, n ≥ 1,000: "
        "1.000 [.912, 1.000]; n = 40 is below the minimum of 1,000",
        "0 findings",
        f"80 of 80 rows scored, 0 explained, 0 skipped, {len(CHECKS)} not measured",
        "audit/audit.html",
    ]


@pytest.mark.parametrize(
    ("threshold", "gating", "code", "word"),
    [
        ("at_most = 0.9", "true", 1, "✗ Fails"),
        ("at_most = 0.9", "false", 0, "No findings"),
        ("at_least = 0.99", "true", 0, "○ Inconclusive"),
    ],
)
def test_the_exit_code_is_1_where_a_gating_criterion_fails_and_the_report_is_there(
    run: Run, folder: Path, threshold: str, gating: str, code: int, word: str
) -> None:
    text = WHOLE.replace("at_least = 0.6", threshold).replace("gating = true", f"gating = {gating}")
    (folder / "audit.toml").write_text(text)
    done, printed, _ = run(*AUDIT)
    assert (done, printed.splitlines()[0].split(":")[0]) == (code, word)
    assert (folder / "audit/audit.html").is_file()


def test_options_win_over_the_file(run: Run, folder: Path) -> None:
    (folder / "seen.csv").write_text("message,team\nhello,pos\n")
    options = ("--group", "language", "--group", "team", "--slice", "ticket", "--slice", "country")
    code, _, complained = run(*AUDIT, *options, "--train", "seen.csv", "--check", "performance")
    assert (code, complaints(complained)) == (0, [])
    arguments = record_of(folder)["provenance"]["arguments"]
    assert arguments["group"] == ["language", "team"]
    assert arguments["slices"] == ["ticket", "country"]
    assert (arguments["training"], arguments["checks"]) == ("seen.csv", {"performance": {}})


def test_criteria_are_frozen_without_a_model_and_a_later_run_is_held_to_them(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(source: str, **options: object) -> None:
        raise AssertionError("the model was loaded")

    monkeypatch.setattr(explain.auditing.run, "load", refuse)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    code, printed, _ = run(*AUDIT, "--criteria-only")
    sha256 = printed.split()[-1]
    assert code == 0
    assert [path.name for path in (folder / "audit").iterdir()] == ["criteria.json"]
    assert json.loads((folder / "audit/criteria.json").read_text())["sha256"] == sha256
    monkeypatch.setattr(explain.auditing.run, "load", lambda source, **options: MODEL)
    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    assert run(*AUDIT)[0] == 0
    html = (folder / "audit/audit.html").read_text()
    assert "They were frozen in criteria.json on 1 January 1970, before anything was scored" in html
    assert f"have the same hash: sha256 {sha256}" in html
    before = {path: path.read_bytes() for path in (folder / "audit").iterdir()}
    (folder / "audit.toml").write_text(WHOLE.replace("at_least = 0.6", "at_least = 0.5"))
    code, printed, complained = run(*AUDIT)
    assert (code, printed, complained.count("\n")) == (2, "", 1)
    assert "was frozen on 1970-01-01 with other criteria" in complained
    assert {path: path.read_bytes() for path in (folder / "audit").iterdir()} == before


def test_there_must_be_criteria_to_freeze(run: Run, folder: Path) -> None:
    code, _, complained = run("audit", "model", "rows.csv", "--criteria-only")
    assert (code, complained.count("\n")) == (2, 1)
    assert "there are no criteria to freeze" in complained
    assert not (folder / "audit").exists()


@pytest.mark.parametrize(
    ("change", "options", "says"),
    [
        (("label", "lable"), (), "audit.toml: [data] has no 'lable'; did you mean 'label'?"),
        (("at_least = 0.6", "at_least = 60"), (), "at_least = 60, which is out of range"),
        (("at_least = 0.6", ""), (), "states at_least or at_most, this one states neither"),
        (("at_least = 0.6", "at_least = 0.6\nat_most = 0.7"), (), "this one states both"),
        (('"performance.accuracy"', '"performance.acuracy"'), (), "mean 'performance.accuracy'?"),
        (("", ""), ("--slice", "langage"), "has no column 'langage'; did you mean 'language'?"),
        (("", ""), ("--check", "perf"), "there is no check 'perf'"),
        (("", ""), ("--config", "other.toml"), "'other.toml' cannot be read"),
    ],
)
def test_bad_configuration_is_one_line_and_exit_code_2(
    run: Run, folder: Path, change: tuple[str, str], options: tuple[str, ...], says: str
) -> None:
    (folder / "audit.toml").write_text(WHOLE.replace(*change, 1) if change[0] else WHOLE)
    code, printed, complained = run(*AUDIT, *options)
    assert (code, printed, complained.count("\n")) == (2, "", 1)
    assert says in complained


def test_a_criterion_whose_metric_was_skipped_is_inconclusive_and_said(
    run: Run, folder: Path
) -> None:
    (folder / "audit.toml").write_text(WHOLE.replace('label = "team"\n', ""))
    code, printed, _ = run(*AUDIT)
    assert code == 0
    assert "○ Inconclusive: 1 of 1 criterion inconclusive; 1 more is not gating" in printed
    said = "accuracy, all rows ≥ .6; not measured. Performance: no label column was named"
    assert said in printed
    html = (folder / "audit/audit.html").read_text()
    assert "criterion: accuracy, all rows</b>: not measured. Performance: no label" in html


def test_the_help_says_what_the_exit_codes_mean(run: Run) -> None:
    code, printed, _ = run("audit", "--help")
    said = " ".join(printed.split())
    assert code == 0
    assert "1 a gating criterion failed" in said
    assert "an inconclusive criterion is said, and does not" in said
