"""The recipes of the documentation work as they stand."""

import os
import re
from pathlib import Path
from typing import Any

import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

import explain

RECIPES = (Path(__file__).parents[2] / "docs/recipes.md").read_text(encoding="utf-8")
ROWS = [("good film", "pos"), ("bad film", "neg")] * 10


def recipe(title: str) -> str:
    """Return the code under a title."""
    (section,) = re.findall(rf"^## {title}\n(.*?)(?=^## |\Z)", RECIPES, re.DOTALL | re.MULTILINE)
    return "\n".join(re.findall(r"```python\n(.*?)```", section, re.DOTALL))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_spacy(tmp_path: Path) -> None:
    if "CI" not in os.environ:
        pytest.importorskip("spacy", reason="spaCy is not installed: pip install spacy")
    import spacy
    from spacy.training import Example
    from thinc.api import fix_random_seed

    fix_random_seed(0)
    nlp = spacy.blank("en")
    nlp.add_pipe("textcat")
    examples = [
        Example.from_dict(nlp.make_doc(t), {"cats": {name: name == y for name in ("pos", "neg")}})
        for t, y in ROWS
    ]
    nlp.initialize(lambda: examples)
    for _ in range(10):
        nlp.update(examples)
    nlp.to_disk(tmp_path / "pipeline")
    names: dict[str, Any] = {}
    exec(recipe("spaCy").replace("path/to/pipeline", str(tmp_path / "pipeline")), names)
    attribution = explain.attribute(names["model"], "a good film", target="pos")
    assert attribution.values[1] == max(attribution.values) > 0
    assert abs(attribution.completeness_gap) < 1e-6


def test_the_margin_of_a_support_vector_machine() -> None:
    texts, answers = zip(*ROWS, strict=True)
    names: dict[str, Any] = {
        "explain": explain,
        "pipeline": make_pipeline(CountVectorizer(), LinearSVC()).fit(texts, answers),
    }
    exec(recipe("The margin of a support vector machine"), names)
    attribution = explain.attribute(names["model"], "a good film")
    assert attribution.target.scale == "value"
    assert attribution.values[1] == max(attribution.values) > 0


@pytest.mark.parametrize("title", ["spaCy", "fastText", "SetFit"])
def test_recipes_are_python(title: str) -> None:
    assert "explain.wrap(" in recipe(title)
    compile(recipe(title), title, "exec")
