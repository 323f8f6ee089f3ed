"""The recipes for endpoints work as they stand, each against the copy of its server."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import explain
from explain.adapters.remote import KINDS
from explain.auditing.plan import AuditPlan
from tests.helpers.endpoint import FORMATS, LABELS, Server, logits_of_words

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "endpoint-recipes.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## ([\w-]+)\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE))
RECIPES = [
    (kind, recipe)
    for kind, section in SECTIONS.items()
    for recipe in re.findall(r"```toml\n(.*?)```", section, re.DOTALL)
]
TEXTS = ["a stunning work", "not a good work", "a dull and awful work"]


def test_every_kind_has_a_recipe_and_an_address() -> None:
    assert [*SECTIONS] == [*FORMATS]
    assert {*SECTIONS} == {*KINDS}
    assert {kind for kind, _ in RECIPES} == {*KINDS}
    for section in SECTIONS.values():
        (address,) = re.findall(r"Address:\s`(https?://[^`]+)`", section)
        assert address


@pytest.mark.parametrize(("kind", "recipe"), RECIPES, ids=[kind for kind, _ in RECIPES])
def test_a_recipe_gives_what_the_model_behind_its_server_says(
    kind: str, recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "audit.toml"
    config.write_text(recipe, encoding="utf-8")
    plan = AuditPlan.read(config)
    assert plan.kind == kind
    if "key_env" in plan.endpoint:
        monkeypatch.setenv(plan.endpoint["key_env"], "key-of-this-test-alone")
    server = Server(kind)
    (address,) = re.findall(r"Address:\s`(https?://[^`]+)`", SECTIONS[kind])
    options: dict[str, Any] = {**plan.load_options, "transport": server.transport}
    model = explain.load(address, **options)
    assert model.labels == LABELS
    logits = np.array([logits_of_words(text) for text in TEXTS])
    if kind == "sampled":
        counts = np.exp(model.predict(TEXTS)) - 0.5
        np.testing.assert_allclose(counts, counts.round(), atol=1e-6)
        assert (counts.argmax(axis=1) == logits.argmax(axis=1)).all()
        assert counts.round().sum(axis=1).max() <= plan.endpoint["samples"]
    elif model.task == "multi_label":
        np.testing.assert_allclose(model.predict(TEXTS), logits, atol=1e-9)
    else:
        differences = model.predict(TEXTS) @ [-1, 1]
        np.testing.assert_allclose(differences, logits @ [-1, 1], atol=1e-9)
    sent = plan.endpoint.get("key_header", "Authorization").lower()
    assert ("key-of-this-test-alone" in server.headers[-1].get(sent, "")) == (
        "key_env" in plan.endpoint
    )
