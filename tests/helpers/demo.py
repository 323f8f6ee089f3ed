"""Where the demo lies: a model that is flawed on purpose, and its messages."""

from pathlib import Path

import explain

__all__ = ["DEMO"]

DEMO = Path(explain.__file__).parent / "demo"
