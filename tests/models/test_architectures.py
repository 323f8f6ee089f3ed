"""Every architecture is explained by every method, and docs/models.md says how well."""

import functools
import re
import resource
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import explain
from explain.adapters import Encoding
from explain.adapters.transformers import TransformersClassifier
from explain.engine.games import target_values
from explain.errors import AdapterError, CapabilityError, ConfigurationError, PredictionError
from explain.record import Attribution
from explain.testing import check_classifier
from tests.helpers.architectures import (
    ARCHITECTURE_BY_NAME,
    TEXTS,
    build_classifier,
    every_architecture,
)
from tests.helpers.documentation import ROOT
from tests.helpers.tiny import (
    LIMIT,
    bare_tokenizer,
    byte_tokenizer,
    piece_tokenizer,
    random_model,
    unigram_tokenizer,
)

EDGES = ["", " ", "?!", "\x00", "x" * 500, "film " * 100]
METHODS = ("shap", "lime", "integrated_gradients", "occlusion")
OPTIONS: dict[str, dict[str, Any]] = {"shap": {"budget": 64}, "lime": {"budget": 64}}
MODELS = ROOT / "docs/models.md"


@functools.cache
def explained(name: str, method: str) -> list[Attribution]:
    return explain.attribute(
        build_classifier(name), TEXTS, method=method, **OPTIONS.get(method, {})
    )


@every_architecture
def test_a_batch_of_k_equals_k_singles(name: str) -> None:
    model = build_classifier(name)
    texts = TEXTS + EDGES
    alone = np.vstack([model.predict([text]) for text in texts])
    np.testing.assert_allclose(model.predict(texts), alone, atol=1e-5)
    assert np.ptp(alone, axis=0).max() > 0.01


@every_architecture
def test_the_contract_is_kept(name: str) -> None:
    assert check_classifier(build_classifier(name)).failed == ()


@every_architecture
@pytest.mark.parametrize("unit", ["word", "token", "sentence"])
def test_the_full_value_is_that_of_the_exact_text(name: str, unit: str) -> None:
    model = build_classifier(name)
    texts = [*TEXTS, *EDGES[:3]]
    for text, attribution in zip(
        texts, explain.attribute(model, texts, method="occlusion", unit=unit), strict=True
    ):
        expected = target_values(model.predict([text]), attribution.target)[0]
        assert attribution.full_value == pytest.approx(expected, abs=1e-5)


@every_architecture
def test_integrated_gradients_close_their_gap(name: str) -> None:
    for attribution in explained(name, "integrated_gradients"):
        assert attribution.diagnostics.converged is True
        total = attribution.full_value - attribution.empty_value
        assert abs(attribution.completeness_gap) <= 0.01 * abs(total)


@every_architecture
def test_what_lies_beyond_the_limit_is_told(name: str) -> None:
    model = build_classifier(name)
    ((unread,),) = model.unread([EDGES[-1]])
    (tokens,) = model.tokens([EDGES[-1]])
    assert tokens[-1].end <= unread.start < unread.end == 500 - (EDGES[-1][unread.end - 1] != " ")


def test_the_golden_table_says_what_was_measured(request: pytest.FixtureRequest) -> None:
    rows = {
        name: [*map(functools.partial(measure, name), METHODS)] for name in ARCHITECTURE_BY_NAME
    }
    page = MODELS.read_text()
    if request.config.getoption("--update-golden"):
        MODELS.write_text(re.sub(BLOCK, lambda found: found[1] + table(rows) + found[3], page))
        return
    block = re.search(BLOCK, page)
    assert block is not None
    stated = block[2].strip().splitlines()
    assert [line.split("|")[1].strip() for line in stated[2:]] == list(rows)
    for line, cells in zip(stated[2:], rows.values(), strict=True):
        for shown, measured in zip(line.split("|")[2:-1], cells, strict=True):
            assert shown.strip()
            bounds = [float(number) for number in re.findall(r"\d\S*e[-+]\d+|\b0\b", shown)]
            seen = [number for number in measured if number is not None]
            # Rounding differs between machines; an order of magnitude is what a reader relies on.
            assert len(bounds) == len(seen)
            assert all(s <= max(10 * b, 1e-5) for s, b in zip(seen, bounds, strict=True)), shown


BLOCK = re.compile(r"(<!-- architectures -->\n)(.*?)(<!-- /architectures -->)", re.DOTALL)


def measure(name: str, method: str) -> tuple[float | None, float]:
    """Return the completeness gap of a method, where it promises none, and batch against single."""
    together = explained(name, method)
    options = OPTIONS.get(method, {})
    alone = [
        explain.attribute(build_classifier(name), t, method=method, **options) for t in TEXTS[:2]
    ]
    error = max(
        float(np.abs(np.subtract(a.values, b.values)).max())
        for a, b in zip(together, alone, strict=False)
    )
    if not together[0].efficient:
        return None, error
    return max(abs(a.completeness_gap) / abs(a.full_value - a.empty_value) for a in together), error


def table(rows: dict[str, list[tuple[float | None, float]]]) -> str:
    """Return the measurements as a Markdown table."""
    lines = ["| architecture | " + " | ".join(f"`{method}`" for method in METHODS) + " |"]
    lines.append("| --- |" + " --- |" * len(METHODS))
    for name, cells in rows.items():
        shown = [
            f"{'no promise' if gap is None else f'{gap:.0e}'}, {error:.0e}" for gap, error in cells
        ]
        lines.append(f"| {name} | " + " | ".join(shown) + " |")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("name", ["T5", "BART"])
def test_both_embeddings_of_an_encoder_decoder_are_followed(name: str) -> None:
    model = build_classifier(name)
    assert len(model.embeddings) == 2
    encoding = model.encode(["a good film"])
    encoder, decoder = (rows[0] for rows in encoding.spans)
    assert decoder == (None, *encoder[:-1])
    # A path that follows the encoder alone ends somewhere else.
    half = ARCHITECTURE_BY_NAME[name].classifier()
    encoder_only = half.embeddings[:1]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransformersClassifier, "embeddings", encoder_only)
        patch.setattr(half, "encode", lambda texts: Encoding(*_first_layer(model.encode(texts))))
        partial = explain.attribute(half, TEXTS[0], method="integrated_gradients")
    whole = explained(name, "integrated_gradients")[0]
    assert partial.empty_value != pytest.approx(whole.empty_value, abs=1e-3)


def _first_layer(encoding: Encoding) -> tuple[Any, Any]:
    return encoding.inputs, encoding.spans[:1]


@pytest.mark.parametrize("pair", [(300, 2), (2, 300), (200, 300), (31, 32), (70, 90)])
def test_a_long_pair_is_cut_as_its_tokenizer_would(pair: tuple[int, int]) -> None:
    model = build_classifier("BERT")
    text = ("a good film " * pair[0], "really bad , " * pair[1])
    expected = model.tokenizer(*text, truncation=True, max_length=LIMIT)["input_ids"]
    assert list(model._tokenize([text])["input_ids"]) == [expected]


def test_a_hostile_pair_does_not_fill_the_memory() -> None:
    # Untreated, the tokenizers library makes all pairs of 800 windows: 2.6 GB were seen.
    pair = ("a good film " * 16_000, "really bad , " * 16_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert np.isfinite(build_classifier("BERT").predict([pair])).all()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000


@pytest.mark.parametrize("side", ["left", "right"])
def test_the_last_token_is_pooled_whatever_the_padding_side(side: str) -> None:
    tokenizer = bare_tokenizer(side=side)
    model: Any = random_model("gpt2", tokenizer, n_positions=LIMIT, n_inner=32)
    classifier = TransformersClassifier(model, tokenizer)
    for text in TEXTS:
        ids = torch.tensor([tokenizer(text)["input_ids"]])
        with torch.inference_mode():
            expected = model.score(model.transformer(ids).last_hidden_state[0, -1])
        np.testing.assert_allclose(classifier.predict([*TEXTS, text])[-1], expected, atol=1e-5)


@every_architecture
def test_padding_stands_right_whatever_the_tokenizer_says(name: str) -> None:
    tokenizer = ARCHITECTURE_BY_NAME[name].tokenizer()
    tokenizer.padding_side = "left"
    model = TransformersClassifier(build_classifier(name).model, tokenizer)
    alone = np.vstack([model.predict([text]) for text in TEXTS])
    np.testing.assert_allclose(model.predict(TEXTS), alone, atol=1e-5)


def test_a_padding_token_that_the_model_does_not_embed_is_refused() -> None:
    model = bert().model
    model.config.pad_token_id = 9999
    with pytest.raises(AdapterError, match="padding token is 9999, the model embeds 49"):
        TransformersClassifier(model, piece_tokenizer())


def test_a_token_that_ends_every_text_is_not_borrowed_for_padding() -> None:
    tokenizer = unigram_tokenizer("$A </s>", pad=False)
    options = {"max_position_embeddings": LIMIT, "num_key_value_heads": 1, "head_dim": 8}
    classifier = TransformersClassifier(random_model("llama", tokenizer, **options), tokenizer)
    assert str(classifier.describe().facts["padding"]).startswith("<s> on the right, borrowed")


def test_without_any_special_token_padding_cannot_be_borrowed() -> None:
    tokenizer = bare_tokenizer()
    model = random_model("gpt2", tokenizer, n_positions=LIMIT, n_inner=32)
    tokenizer.eos_token = tokenizer.bos_token = None
    model.config.pad_token_id = None
    with pytest.raises(AdapterError, match="no padding token and no special token"):
        TransformersClassifier(model, tokenizer)


def bert(**options: Any) -> TransformersClassifier:
    tokenizer = piece_tokenizer()
    stated = {key: options.pop(key) for key in ("task", "long_text", "pool") if key in options}
    model = random_model("bert", tokenizer, max_position_embeddings=LIMIT, **options)
    return TransformersClassifier(model, tokenizer, **stated)


class TestTasks:
    """The task is read, can be stated, and is never contradicted."""

    def test_regression_explains_its_plain_output_and_judges_no_row(self) -> None:
        model = bert(num_labels=1, problem_type="regression")
        record = explain.audit(
            model, [{"text": t, "label": str(i)} for i, t in enumerate(TEXTS)], label="label"
        )
        assert model.task == "regression"
        assert {i.right for i in record.instances} == {None}
        assert {i.probability for i in record.instances} == {None}
        assert [s.name for s in record.plan.strata] == ["random"]
        assert record.instances[0].attributions[0].target.scale == "value"

    def test_multi_label_targets_are_logits_and_no_row_is_judged(self) -> None:
        model = bert(num_labels=3, problem_type="multi_label_classification")
        rows = [{"text": t, "label": "LABEL_0"} for t in TEXTS]
        record = explain.audit(model, rows, label="label")
        assert {i.right for i in record.instances} == {None}
        attribution = explain.attribute(model, TEXTS[0], target="LABEL_1", method="occlusion")
        assert attribution.target.scale == "logit"
        assert attribution.full_value == pytest.approx(model.predict(TEXTS[:1])[0, 1], abs=1e-5)

    def test_a_task_can_be_stated_where_the_model_states_none(self) -> None:
        assert bert(num_labels=3).task == "single_label"
        assert bert(num_labels=3, task="multi_label").task == "multi_label"
        assert bert(num_labels=1, task="multi_label").task == "multi_label"

    @pytest.mark.parametrize(
        ("options", "says"),
        [
            ({"problem_type": "multi_label_classification", "task": "single_label"}, "not single"),
            ({"num_labels": 3, "task": "regression"}, "3 outputs, which is no regression"),
            ({"num_labels": 1, "task": "single_label"}, "1 outputs, which is no single_label"),
            ({"task": "multilabel"}, "did you mean 'multi_label'"),
        ],
    )
    def test_a_contradiction_is_an_error(self, options: dict[str, Any], says: str) -> None:
        with pytest.raises(ConfigurationError, match=says):
            bert(**options)

    def test_a_regression_has_one_output(self) -> None:
        with pytest.raises(AdapterError, match="2 outputs, which is no regression"):
            bert(problem_type="regression")

    def test_an_unknown_problem_type_is_refused(self) -> None:
        model = bert()
        model.model.config.__dict__["problem_type"] = "nonsense"
        with pytest.raises(AdapterError, match="problem_type of the model is 'nonsense'"):
            TransformersClassifier(model.model, model.tokenizer)


class TestModelsThatDoNotFit:
    """What does not fit together is refused before anything is explained."""

    def test_a_tokenizer_of_another_model(self) -> None:
        with pytest.raises(AdapterError, match="pass the tokenizer that belongs to the model"):
            TransformersClassifier(bert().model, byte_tokenizer(mask=True))

    def test_labels_of_another_length_than_the_head(self) -> None:
        model = bert().model
        model.config.id2label = {0: "a", 1: "b", 2: "c"}
        with pytest.raises(AdapterError, match=r"shape \(1, 2\) for 1 texts and 3 labels"):
            TransformersClassifier(model, piece_tokenizer())

    @pytest.mark.parametrize(
        ("names", "says"),
        [({0: "a", 2: "b"}, r"names the columns \[0, 2\]"), ({0: "a", 1: "a"}, "appears 2 times")],
    )
    def test_label_maps_with_gaps_or_duplicates(self, names: dict[int, str], says: str) -> None:
        model = bert().model
        model.config.id2label = names
        with pytest.raises(AdapterError, match=says):
            TransformersClassifier(model, piece_tokenizer())

    def test_a_tokenizer_that_does_not_know_offsets(self) -> None:
        from transformers import ByT5Tokenizer

        with pytest.raises(AdapterError, match="does not know where its tokens come from"):
            TransformersClassifier(bert(vocab_size=400).model, ByT5Tokenizer())

    def test_weights_that_are_nan(self) -> None:
        model: Any = bert().model
        with torch.no_grad():
            model.classifier.bias[0] = float("nan")
        with pytest.raises(AdapterError, match=r"classifier\.bias hold NaN"):
            TransformersClassifier(model, piece_tokenizer())

    def test_an_output_that_does_not_fit_the_labels(self) -> None:
        model = bert(num_labels=3)
        model.labels = ("a", "b")
        with pytest.raises(PredictionError, match=r"shape \(1, 3\) for 1 texts and 2 labels"):
            model.predict(["text"])


class TestWindows:
    """Long texts are scored in overlapping windows."""

    TEXT = "a good film . " * 20 + "really bad !"

    def test_a_text_within_the_limit_is_scored_as_it_is(self) -> None:
        for text in TEXTS:
            cut, windows = bert().predict([text]), bert(long_text="windows").predict([text])
            np.testing.assert_allclose(
                windows[0, 1] - windows[0, 0], cut[0, 1] - cut[0, 0], atol=1e-5
            )

    @pytest.mark.parametrize("pool", ["mean", "max"])
    def test_windows_are_pooled_on_the_log_scale(self, pool: str) -> None:
        model = bert(long_text="windows", pool=pool)
        ids = model.tokenizer(self.TEXT, add_special_tokens=False)["input_ids"]
        cls, sep = model.tokenizer.cls_token_id, model.tokenizer.sep_token_id
        room, shared = LIMIT - 2, LIMIT // 4
        rows = []
        for start in range(0, len(ids) - shared, room - shared):
            window = torch.tensor([[cls, *ids[start : start + room], sep]])
            with torch.inference_mode():
                rows.append(model.model(input_ids=window).logits[0].log_softmax(-1).numpy())
        assert len(rows) > 1
        expected = np.max(rows, axis=0) if pool == "max" else np.mean(rows, axis=0)
        scores = model.predict(["a good film", self.TEXT, "really bad"])
        np.testing.assert_allclose(scores[1], expected, atol=1e-5)

    def test_the_whole_text_is_explained(self) -> None:
        model = bert(long_text="windows")
        assert model.unread([self.TEXT]) == [()]
        attribution = explain.attribute(model, self.TEXT, method="occlusion")
        assert attribution.features[-3:] == ("really", "bad", "!")
        assert np.abs(attribution.values[-3:]).max() > 0
        assert "windows of 64 tokens, 16 shared, mean" in str(model.describe().facts["long text"])

    def test_multi_label_logits_and_values_are_pooled_as_they_are(self) -> None:
        cut = bert(task="multi_label", num_labels=3)
        windows = bert(task="multi_label", num_labels=3, long_text="windows")
        np.testing.assert_allclose(windows.predict(TEXTS), cut.predict(TEXTS), atol=1e-6)

    def test_gradients_do_not_follow_windows_and_say_so(self) -> None:
        with pytest.raises(CapabilityError, match="which gradients do not follow"):
            explain.attribute(bert(long_text="windows"), TEXTS[0], method="integrated_gradients")

    def test_a_pair_that_is_too_long_is_refused(self) -> None:
        model = bert(long_text="windows")
        assert model.predict([("a good film", "really bad")]).shape == (1, 2)
        with pytest.raises(PredictionError, match="windows are for single texts"):
            model.predict([("a good film", self.TEXT)])

    @pytest.mark.parametrize(("option", "value"), [("long_text", "window"), ("pool", "median")])
    def test_unknown_options_are_refused(self, option: str, value: str) -> None:
        with pytest.raises(ConfigurationError, match=f"there is no {option} '{value}'"):
            bert(**{option: value})


class TestLoading:
    """Options of a folder."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        model = bert()
        model.model.save_pretrained(tmp_path / "model")
        model.tokenizer.save_pretrained(tmp_path / "model")
        return tmp_path / "model"

    @pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
    def test_a_dtype_can_be_chosen(self, folder: Path, dtype: str) -> None:
        model = explain.load(folder, dtype=dtype, device="cpu", task="multi_label")
        assert isinstance(model, TransformersClassifier)
        assert model.describe().facts["dtype"] == dtype
        assert model.task == "multi_label"
        np.testing.assert_allclose(
            model.predict(TEXTS), explain.load(folder).predict(TEXTS), atol=0.05
        )

    @pytest.mark.parametrize(
        ("options", "says"),
        [
            ({"dtype": "float8"}, "there is no dtype 'float8'"),
            ({"device": "abacus"}, "there is no device 'abacus'"),
            ({"long_texts": "cut"}, "did you mean 'long_text'"),
        ],
    )
    def test_unknown_options_are_refused(
        self, folder: Path, options: dict[str, Any], says: str
    ) -> None:
        with pytest.raises(ConfigurationError, match=says):
            explain.load(folder, **options)
