"""The conformance kit passes models that keep the contract, and catches each way to break it."""

import io
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from rich.console import Console
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import explain
from explain.adapters import Scores
from explain.adapters.origin import Origin
from explain.adapters.transformers import TransformersClassifier
from explain.errors import (
    AdapterError,
    CapabilityError,
    ConfigurationError,
    PredictionError,
)
from explain.record import Conformance, ConformanceRow, ModelDescription
from explain.testing import CHECKS, PAIRS, check_classifier
from explain.text.spans import Span, Text, parts_of
from reports.terminal import print_conformance
from tests.helpers.command import run_forked
from tests.helpers.demo import DEMO
from tests.helpers.tiny import byte_tokenizer, random_model

WIDE = {"initializer_range": 0.2}
"""Random weights that are wide enough for scores that differ by far more than by rounding."""


def roberta(
    adapter: type[TransformersClassifier] = TransformersClassifier, **options: Any
) -> TransformersClassifier:
    tokenizer = byte_tokenizer(mask=True, limit=10**30)
    model = random_model("roberta", tokenizer, max_position_embeddings=66, **WIDE, **options)
    return adapter(model, tokenizer, origin=Origin("tiny"))


def gpt2() -> TransformersClassifier:
    tokenizer = byte_tokenizer(mask=False, limit=64)
    model = random_model("gpt2", tokenizer, n_positions=64, n_inner=32, **WIDE)
    return TransformersClassifier(model, tokenizer)


def checks(result: Conformance, outcome: str) -> set[str]:
    return {row.check for row in result.rows if row.outcome == outcome}


# ── Models that keep the contract ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("model", "texts"), [("sst2", None), ("nli", PAIRS)], ids=["sst2", "nli"])
def test_real_models_pass_every_check(
    model: str, texts: Sequence[Text] | None, request: pytest.FixtureRequest
) -> None:
    result = check_classifier(request.getfixturevalue(model), texts)
    assert result.failed == ()
    assert checks(result, "pass") == set(CHECKS)


@pytest.mark.parametrize("texts", [None, PAIRS], ids=["singles", "pairs"])
@pytest.mark.parametrize(
    ("make", "lacks"), [(roberta, set()), (gpt2, {"mask token"})], ids=["roberta", "gpt2"]
)
def test_random_models_pass_but_for_what_they_lack(
    make: Callable[[], TransformersClassifier],
    lacks: set[str],
    texts: Sequence[Text] | None,
) -> None:
    result = check_classifier(make(), texts)
    assert result.failed == ()
    assert checks(result, "not applicable") == lacks


def test_text_that_is_cut_at_its_start_is_unread_there() -> None:
    model = roberta()
    model.tokenizer.truncation_side = "left"
    assert check_classifier(model).failed == ()


def test_half_precision_has_a_wider_bar_and_no_finite_differences() -> None:
    model = roberta()
    model.model.half()
    result = check_classifier(model)
    assert result.failed == ()
    assert result.tolerance == pytest.approx(0.0098, abs=1e-4)
    assert checks(result, "not applicable") == {"gradients"}


def test_a_scikit_learn_pipeline_passes_what_applies_to_it() -> None:
    fitted = make_pipeline(CountVectorizer(), LogisticRegression()).fit(
        ["good film", "bad film", "good", "bad"], ["pos", "neg", "pos", "neg"]
    )
    result = check_classifier(fitted, ["good", "a bad film", "a good film"])
    assert result.failed == ()
    lacks = {"pairs", "mask token", "gradient scores", "gradients"}
    assert checks(result, "not applicable") == lacks


def test_a_function_for_pairs_is_found_out_and_passes() -> None:
    def overlap(pairs: Sequence[tuple[str, str]]) -> list[list[float]]:
        return [[float(len(one)), float(len(other))] for one, other in pairs]

    model = explain.wrap(overlap, labels=["no", "yes"], output="scores")
    result = check_classifier(model)
    assert result.failed == ()
    assert "pairs" in checks(result, "pass")


def test_texts_that_a_model_takes_for_the_same_say_nothing_of_its_order() -> None:
    model = explain.wrap(
        lambda texts: [[float("!" * 9 in t), 1.0] for t in texts],
        labels=["a", "b"],
        output="scores",
    )
    rows = {row.check: row for row in check_classifier(model, ["one", "two"]).rows}
    for check in ("batches", "order", "duplicates"):
        assert rows[check].outcome == "not applicable"
        assert "told apart by 0 only" in rows[check].detail


def test_a_regression_has_no_scale_that_could_be_told() -> None:
    result = check_classifier(roberta(num_labels=1, problem_type="regression"))
    assert result.failed == ()
    assert checks(result, "not applicable") == {"scale"}


def test_what_a_model_says_it_cannot_do_is_not_applicable() -> None:
    class Slow(TransformersClassifier):
        def tokens(self, texts: Sequence[Text]) -> list[tuple[Span, ...]]:
            raise CapabilityError("this tokenizer is slow")

    result = check_classifier(roberta(Slow))
    assert result.failed == ()
    assert checks(result, "not applicable") == {"offsets", "unread", "mask token"}
    assert "this tokenizer is slow" in {row.detail for row in result.rows}


# ── Models that break it ──────────────────────────────────────────────────────────────────────────


class DropsARow(TransformersClassifier):
    def predict(self, texts: Sequence[Text]) -> Scores:
        return super().predict(texts)[: max(1, len(texts) - 1)]


class MissesALabel(TransformersClassifier):
    def predict(self, texts: Sequence[Text]) -> Scores:
        return super().predict(texts)[:, :1]


class Fails(TransformersClassifier):
    def predict(self, texts: Sequence[Text]) -> Scores:
        raise ValueError("no such vocabulary")


class IsNaN(TransformersClassifier):
    def predict(self, texts: Sequence[Text]) -> Scores:
        return np.full_like(super().predict(texts), np.nan)


class GivesFloat32(TransformersClassifier):
    def predict(self, texts: Sequence[Text]) -> Scores:
        return super().predict(texts).astype(np.float32)


class GivesLists(TransformersClassifier):
    def predict(self, texts: Sequence[Text]) -> Scores:
        return cast(Scores, super().predict(texts).tolist())


class RepeatsALabel(TransformersClassifier):
    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.labels = ("same", "same")


class HasABlankLabel(TransformersClassifier):
    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.labels = ("yes", " ")


class ListsItsLabels(TransformersClassifier):
    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.labels = cast(Any, ["no", "yes"])

    def describe(self) -> ModelDescription:
        described = super().describe()
        object.__setattr__(described, "labels", self.labels)
        return described


class InventsATask(TransformersClassifier):
    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.task = cast(Any, "ranking")


class GivesProbabilities(TransformersClassifier):
    def predict(self, texts: Sequence[Text]) -> Scores:
        odds = np.exp(super().predict(texts))
        return np.asarray(odds / odds.sum(axis=1, keepdims=True))


class IsDescribedAsAnother(TransformersClassifier):
    def describe(self) -> ModelDescription:
        return super().describe().model_copy(update={"labels": ("a", "b")})


class HasDropout(TransformersClassifier):
    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        layer = self.model.get_submodule("roberta.embeddings.dropout")
        layer.register_forward_hook(lambda *call: torch.nn.functional.dropout(call[2]))


class Drifts(TransformersClassifier):
    calls = 0

    def predict(self, texts: Sequence[Text]) -> Scores:
        self.calls += 1
        return super().predict(texts) + 1e-3 * self.calls


class AttendsToPadding(TransformersClassifier):
    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.model.register_forward_pre_hook(self._unmasked, with_kwargs=True)

    @staticmethod
    def _unmasked(_: object, args: Any, inputs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        return args, {**inputs, "attention_mask": torch.ones_like(inputs["attention_mask"])}


class ReversesItsRows(TransformersClassifier):
    def predict(self, texts: Sequence[Text]) -> Scores:
        return super().predict(texts)[::-1].copy()


class SortsItsRows(TransformersClassifier):
    def predict(self, texts: Sequence[Text]) -> Scores:
        return super().predict(sorted(texts, key=str))


class KeysRowsByText(TransformersClassifier):
    def predict(self, texts: Sequence[Text]) -> Scores:
        return super().predict(list(dict.fromkeys(texts)))


class CannotReadNothing(TransformersClassifier):
    def predict(self, texts: Sequence[Text]) -> Scores:
        scores = super().predict(texts)
        scores[[text == "" for text in texts]] = np.nan
        return scores


class CannotReadSpaces(TransformersClassifier):
    def predict(self, texts: Sequence[Text]) -> Scores:
        for text in texts:
            if text:
                parts_of(text)[0].split()[0]
        return super().predict(texts)


class ReadsLatinOnly(TransformersClassifier):
    def predict(self, texts: Sequence[Text]) -> Scores:
        for text in texts:
            parts_of(text)[0].encode("latin-1")
        return super().predict(texts)


class CannotReadLongTexts(TransformersClassifier):
    def predict(self, texts: Sequence[Text]) -> Scores:
        if any(len(parts_of(text)[0].split()) > 200 for text in texts):
            raise PredictionError("the sequence is longer than the model reads")
        return super().predict(texts)


class ReadsTheFirstOfAPair(TransformersClassifier):
    def predict(self, texts: Sequence[Text]) -> Scores:
        return super().predict([parts_of(text)[0] for text in texts])


class EmptiesItsInput(TransformersClassifier):
    def predict(self, texts: Sequence[Text]) -> Scores:
        scores = super().predict(texts)
        cast(list[Text], texts).clear()
        return scores


class SortsItsInput(TransformersClassifier):
    def tokens(self, texts: Sequence[Text]) -> list[tuple[Span, ...]]:
        found = super().tokens(texts)
        cast(list[str], texts).sort()
        return found


class ReusesItsArray(TransformersClassifier):
    array = np.empty((100, 2))

    def predict(self, texts: Sequence[Text]) -> Scores:
        self.array[: len(texts)] = super().predict(texts)
        return self.array[: len(texts)]


class RenamesItself(TransformersClassifier):
    def predict(self, texts: Sequence[Text]) -> Scores:
        self.name += "'"
        return super().predict(texts)


class HasNoName(TransformersClassifier):
    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.name = ""


class MovesItsTokens(TransformersClassifier):
    by = 1

    def tokens(self, texts: Sequence[Text]) -> list[tuple[Span, ...]]:
        return [
            tuple(Span(s.part, s.start + self.by, s.end + self.by) for s in spans)
            for spans in super().tokens(texts)
        ]


class MovesItsTokensBack(MovesItsTokens):
    by = -1


class CountsBytes(TransformersClassifier):
    def tokens(self, texts: Sequence[Text]) -> list[tuple[Span, ...]]:
        def in_bytes(text: Text, span: Span) -> Span:
            start, end = (len(parts_of(text)[span.part][:edge].encode()) for edge in span[1:])
            return Span(span.part, start, end)

        return [
            tuple(in_bytes(text, span) for span in spans)
            for text, spans in zip(texts, super().tokens(texts), strict=True)
        ]


class SkipsAText(TransformersClassifier):
    def unread(self, texts: Sequence[Text]) -> list[tuple[Span, ...]]:
        return super().unread(texts)[: max(1, len(texts) - 1)]


class ReadsBackwards(TransformersClassifier):
    def tokens(self, texts: Sequence[Text]) -> list[tuple[Span, ...]]:
        return [spans[::-1] for spans in super().tokens(texts)]


class MergesTokens(TransformersClassifier):
    def tokens(self, texts: Sequence[Text]) -> list[tuple[Span, ...]]:
        return [
            tuple(Span(s.part, max(0, s.start - 2), s.end) for s in spans)
            for spans in super().tokens(texts)
        ]


class ForgetsTheLastToken(TransformersClassifier):
    def tokens(self, texts: Sequence[Text]) -> list[tuple[Span, ...]]:
        return [spans[:-1] if len(spans) < 50 else spans for spans in super().tokens(texts)]


class ForgetsTokensInABatch(TransformersClassifier):
    def tokens(self, texts: Sequence[Text]) -> list[tuple[Span, ...]]:
        found = super().tokens(texts)
        return found if len(texts) == 1 else [(*f, *f[-1:]) for f in found]


class SaysAllIsRead(TransformersClassifier):
    def unread(self, texts: Sequence[Text]) -> list[tuple[Span, ...]]:
        return [()] * len(texts)


class SaysAllIsUnread(TransformersClassifier):
    def unread(self, texts: Sequence[Text]) -> list[tuple[Span, ...]]:
        return [
            (Span(0, 0, len(parts_of(text)[0])),) if spans else ()
            for text, spans in zip(texts, super().unread(texts), strict=True)
        ]


class ReadsLessThanItSays(TransformersClassifier):
    def predict(self, texts: Sequence[Text]) -> Scores:
        return super().predict([parts_of(text)[0][:40] for text in texts])


class ReadsMoreThanItSays(TransformersClassifier):
    def predict(self, texts: Sequence[Text]) -> Scores:
        extra = [[len(set(parts_of(text)[0][500:550])), 0] for text in texts]
        return super().predict(texts) + extra


class NamesAnotherMask(TransformersClassifier):
    @property
    def mask_token(self) -> str | None:
        return "[HIDDEN]"


class HasAMaskOfManyTokens(NamesAnotherMask):
    @property
    def special_tokens(self) -> tuple[str, ...]:
        return (*super().special_tokens, "[HIDDEN]")


class KnowsNoText(TransformersClassifier):
    def predict(self, texts: Sequence[Text]) -> Scores:
        return super().predict(["good"] * len(texts))


class Squashes(TransformersClassifier):
    def differentiable_scores(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        return super().differentiable_scores(inputs).softmax(dim=-1)


class GivesOneOfItsScores(TransformersClassifier):
    def differentiable_scores(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        return super().differentiable_scores(inputs)[:, :1]


class HasFlatGradients(TransformersClassifier):
    def differentiable_scores(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        return super().differentiable_scores(inputs) * 0


class DetachesItsScores(TransformersClassifier):
    def differentiable_scores(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        return super().differentiable_scores(inputs).detach()


class DoublesItsGradients(TransformersClassifier):
    def differentiable_scores(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        scores = super().differentiable_scores(inputs)
        return 2 * scores - scores.detach()


class StopsGradientsAtOneToken(TransformersClassifier):
    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.model.get_submodule("roberta.embeddings.dropout").register_forward_hook(self._stop)

    @staticmethod
    def _stop(_: object, __: object, vectors: torch.Tensor) -> torch.Tensor:
        return torch.cat([vectors[:, :1].detach(), vectors[:, 1:]], dim=1)


class NamesAnotherLayer(TransformersClassifier):
    @property
    def embeddings(self) -> tuple[torch.nn.Module, ...]:
        return (torch.nn.Embedding(2, 2),)


class NamesNoLayer(TransformersClassifier):
    @property
    def embeddings(self) -> tuple[torch.nn.Module, ...]:
        return ()


SCORES = {
    "batches",
    "order",
    "duplicates",
    "empty text",
    "white space",
    "scripts",
    "gradient scores",
}

MUTANTS: list[tuple[type[TransformersClassifier], str, set[str], str]] = [
    (DropsARow, "shape", set(), r"shape \(7, 2\) for 8 texts and 2 labels"),
    (MissesALabel, "shape", set(), r"shape \(8, 1\) for 8 texts and 2 labels"),
    (Fails, "shape", set(), "tiny raised ValueError: no such vocabulary"),
    (IsNaN, "finite", set(), "NaN or infinite scores for 8 of 8 texts"),
    (GivesFloat32, "dtype", set(), "scores are float32"),
    (GivesLists, "dtype", set(), "scores are list"),
    (RepeatsALabel, "labels", set(), "1 of 2 labels are distinct"),
    (HasABlankLabel, "labels", set(), "1 of 2 labels are blank"),
    (ListsItsLabels, "labels", set(), "return a tuple of str"),
    (InventsATask, "task", {"describe"}, "return one of: single_label, multi_label, regression"),
    (GivesProbabilities, "scale", {"gradient scores"}, "all 8 rows are probabilities;"),
    (IsDescribedAsAnother, "describe", set(), r"labels is described as \('a', 'b'\)"),
    (HasDropout, "determinism", set(CHECKS), "switch dropout and sampling off"),
    (Drifts, "determinism", set(CHECKS), "largest difference 0.001"),
    (AttendsToPadding, "batches", SCORES, "pass the attention mask"),
    (ReversesItsRows, "order", SCORES, "undo the sorting"),
    (SortsItsRows, "order", SCORES, "undo the sorting"),
    (KeysRowsByText, "duplicates", set(), r"shape \(2, 2\) for 5 texts"),
    (CannotReadNothing, "empty text", set(), "'': tiny returned NaN"),
    (CannotReadSpaces, "white space", set(), "raised IndexError"),
    (ReadsLatinOnly, "scripts", {"white space"}, "Arabic: tiny raised UnicodeEncodeError"),
    (CannotReadLongTexts, "long text", {"unread"}, "longer than the model reads"),
    (ReadsTheFirstOfAPair, "pairs", set(), "the second by 0; read both"),
    (EmptiesItsInput, "inputs", set(), "predict changes the list"),
    (SortsItsInput, "inputs", {"offsets"}, "tokens changes the list"),
    (ReusesItsArray, "results", set(), "overwrites the scores"),
    (RenamesItself, "properties", set(), "name was"),
    (HasNoName, "properties", set(), "return a str that is not blank"),
    (MovesItsTokens, "offsets", {"unread", "mask token"}, "outside of"),
    (MovesItsTokensBack, "offsets", {"unread", "mask token"}, "outside of"),
    (CountsBytes, "offsets", set(), "outside of"),
    (SkipsAText, "offsets", set(), "what is unread of 23, for 24 texts"),
    (ReadsBackwards, "offsets", {"unread"}, "keep reading order"),
    (MergesTokens, "offsets", {"unread", "mask token"}, "overlaps"),
    (ForgetsTheLastToken, "offsets", {"mask token"}, "is in no token"),
    (ForgetsTokensInABatch, "offsets", set(), "count no padding"),
    (SaysAllIsRead, "unread", set(), "neither read nor unread"),
    (SaysAllIsUnread, "unread", set(), "both read and unread"),
    (ReadsLessThanItSays, "unread", {"pairs", "gradient scores"}, "last quarter of the 61 tokens"),
    (ReadsMoreThanItSays, "unread", set(), "what is unread moves the scores by"),
    (NamesAnotherMask, "mask token", set(), "not among the special tokens"),
    (HasAMaskOfManyTokens, "mask token", set(), "tokens, not as 1"),
    (KnowsNoText, "mask token", {"pairs", "unread", "gradient scores"}, "moves no score"),
    (Squashes, "gradient scores", set(), "answer differently"),
    (GivesOneOfItsScores, "gradient scores", set(), r"shape \(2, 1\), expected \(2, 2\)"),
    (HasFlatGradients, "gradients", {"gradient scores"}, "moves no score"),
    (DetachesItsScores, "gradients", set(), "does not require grad"),
    (DoublesItsGradients, "gradients", set(), "gradients flow"),
    (StopsGradientsAtOneToken, "gradients", set(), "gradients flow"),
    (NamesAnotherLayer, "gradients", set(), "does not require grad|not have been used"),
    (NamesNoLayer, "gradients", set(), "names no embedding layer"),
]
"""Each with the check that must catch it, others that may, and what that check must say."""


@pytest.mark.parametrize(
    ("adapter", "check", "others", "says"), MUTANTS, ids=[m[0].__name__ for m in MUTANTS]
)
def test_a_broken_model_is_caught_by_its_check(
    adapter: type[TransformersClassifier], check: str, others: set[str], says: str
) -> None:
    result = check_classifier(roberta(adapter))
    found = {row.check: row.detail for row in result.failed}
    assert check in found
    assert found.keys() <= {check} | others
    assert re.search(says, found[check])


def test_every_check_has_a_model_that_it_catches() -> None:
    assert {check for _, check, _, _ in MUTANTS} == set(CHECKS)


def test_nothing_is_said_of_a_model_without_scores() -> None:
    result = check_classifier(roberta(IsNaN))
    assert not result.ok
    assert checks(result, "pass") == {"shape"}
    assert {row.detail for row in result.rows[2:]} == {"cannot be told while “finite” fails"}


LOG_P = np.log([[0.1, 0.9], [0.5, 0.5], [0.8, 0.2]])


@pytest.mark.parametrize(
    ("scores", "says"),
    [
        (np.exp(LOG_P), "probabilities;"),
        (100 * np.exp(LOG_P), "probabilities in per cent"),
        (-LOG_P, "negative log p"),
        (LOG_P / np.log(2), "log2 p"),
        (LOG_P / np.log(10), "log10 p"),
        (LOG_P, None),
        (LOG_P + 1, None),
        (np.log([[1 - 1e-16, 1e-16]] * 3), None),
        (np.array([[1000.0, -1000.0]] * 3), None),
    ],
    ids=["p", "percent", "minus", "log2", "log10", "ln", "logits", "certain", "huge"],
)
def test_scores_on_another_scale_are_caught(scores: Scores, says: str | None) -> None:
    def table(texts: Sequence[str]) -> Scores:
        return scores[[len(text.strip("ab")) % 3 for text in texts]]

    model = explain.wrap(table, labels=["no", "yes"], output="scores")
    failed = {row.check: row.detail for row in check_classifier(model, ["x", "xx", "xxx"]).failed}
    assert failed.keys() == (set() if says is None else {"scale"})
    assert says is None or says in failed["scale"]


def test_one_column_of_a_single_label_model_is_caught() -> None:
    class HasOneColumn(TransformersClassifier):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            self.task = "single_label"

    failed = {
        row.check: row.detail
        for row in check_classifier(
            roberta(HasOneColumn, num_labels=1, problem_type="regression")
        ).failed
    }
    assert failed.keys() == {"task"}
    assert "1 column has no label to tell from another" in failed["task"]


@pytest.mark.parametrize(
    ("texts", "refused"),
    [
        (["one", "one"], "1 texts that differ"),
        (["one", ("a", "b")], "all of them single texts or all of them pairs"),
    ],
)
def test_texts_that_test_nothing_are_refused(texts: list[Text], refused: str) -> None:
    with pytest.raises(ConfigurationError, match=refused):
        check_classifier(roberta(), texts)


def test_what_is_no_model_is_refused() -> None:
    with pytest.raises(AdapterError, match="no classifier that can be wrapped"):
        check_classifier(3)


def test_the_tolerance_can_be_set() -> None:
    assert check_classifier(roberta(Drifts), tolerance=1.0).failed == ()


# ── The command ───────────────────────────────────────────────────────────────────────────────────


def test_the_command_prints_a_table_and_exits_with_0(tmp_path: Path) -> None:
    done = run_forked("check-model", DEMO / "model", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    shown = dict(re.findall(r"^([a-z ]+?) {2,}(pass|not applicable) ", done.stdout, re.MULTILINE))
    assert shown.keys() | {"gradient scores"} == set(CHECKS)
    assert done.stdout.splitlines()[-1] == f"{len(CHECKS)} pass, 0 fail, 0 not applicable"
    assert list(tmp_path.iterdir()) == []


def test_the_command_exits_with_1_if_a_check_fails(tmp_path: Path) -> None:
    shutil.copytree(DEMO / "model", tmp_path / "model")
    path = tmp_path / "model/config.json"
    path.write_text(path.read_text().replace('"billing"', '" "'))
    done = run_forked("check-model", "model", "--json", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert [row.check for row in Conformance.from_json(done.stdout).failed] == ["labels"]


def test_the_command_can_check_pairs(tmp_path: Path) -> None:
    done = run_forked("check-model", DEMO / "model", "--pairs", "--json", cwd=tmp_path)
    shape = Conformance.from_json(done.stdout).rows[0]
    assert shape.detail.startswith(f"{len(PAIRS)} texts")


def test_the_command_exits_with_3_without_a_model(tmp_path: Path) -> None:
    done = run_forked("check-model", "./missing", cwd=tmp_path)
    assert done.returncode == 3
    assert "no folder 'missing'" in done.stderr


def test_the_terminal_gets_no_control_character_of_a_model() -> None:
    hostile = "\x1b[31mred\x07\u202e[bold]"
    row = ConformanceRow(check="shape", outcome="fail", detail=hostile)
    console = Console(file=io.StringIO(), width=100)
    print_conformance(Conformance(model=hostile, tolerance=1e-5, rows=(row,)), console)
    assert isinstance(console.file, io.StringIO)
    shown = console.file.getvalue()
    assert not re.search(r"[\x00-\x09\x0b-\x1f\u202e]", shown)
    assert shown.count("␛[31mred␇⟨U+202E⟩[bold]") == 2
    assert shown.endswith("0 pass, 1 fail, 0 not applicable\n")
