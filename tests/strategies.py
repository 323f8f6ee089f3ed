"""Hypothesis strategies: texts of many scripts, and games as tables of numbers."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from explain.games import Values

PIECES = (
    "good",
    "It's",
    "...",
    "!!!",
    " ",
    "  ",
    "\t",
    "\r\n",
    "\n",
    "👩‍👩‍👧‍👦",
    "🇩🇪🇫🇷",
    "👍🏽",
    "e\u0301",
    "a\u0308\u0323",
    "مرحبا",
    "بالعالم",
    "这部电影",
    "。",
    "ภาพยนตร์",
    "हिन्दी",
    "カタカナ",
    "\u200b",
    "\u202e",
    "[MASK]",
    "3.14",
    "<b>",
    "\x00",
)

texts = st.one_of(
    st.sampled_from(["", " ", "\r\n", "?!", "..."]),
    st.lists(st.sampled_from(PIECES), max_size=12).map("".join),
    st.text(max_size=40),
)
"""Any Unicode text without lone surrogates, rich in what breaks segmenters."""

parts = st.one_of(st.tuples(texts), st.tuples(texts, texts))
"""One text or a pair."""


def games(low: int = 1, high: int = 6) -> st.SearchStrategy[Values]:
    """Return games as v of every coalition, shape (2**n,), n from `low` to `high`."""
    return st.integers(low, high).flatmap(
        lambda n: hnp.arrays(np.float64, 2**n, elements=st.floats(-10, 10, width=32))
    )
