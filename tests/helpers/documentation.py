"""The code, commands and configurations that the documentation shows."""

import re
from pathlib import Path

__all__ = ["README", "READMES", "ROOT", "blocks"]

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
READMES = (README, ROOT / "README.zh.md")
"""The same in two languages: code and output are equal, comments are translated."""


def blocks(kind: str, name: str) -> list[str]:
    """Return the blocks of that kind in a document, in their order."""
    text = (ROOT / name).read_text(encoding="utf-8")
    return re.findall(rf"^```{kind}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
