"""Hypothesis strategies: texts of many scripts, and games as tables of numbers."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from explain.engine.games import Values
from explain.text.words import words

SCRIPTS = {
    "Latin": "It's a rock'n'roll café, n’est-ce pas? 1,234.56 € @user #tag https://a.org/b?c=1",
    "Cyrillic": "Э́то всё-таки м'яч — и хорошо!",
    "Greek": "Αυτή η ταινία είναι πολύ καλή· δεν; ἀλλ᾽ ἐγώ",
    "Arabic": "كِتَابٌ جميـــــل جدًّا، إلى ٣٫١٤؟ می‌خواهم #مرحبا_بكم",
    "Hebrew": "הַסֵּפֶר הזה טוב, צה״ל ד\"ר ג'ירפה בית־ספר שָׁלוֹם",
    "Devanagari": "यह फ़िल्म अच्छी है। क्‍ष क्‌ष १,०००",
    "Bengali": "এই ছবিটি খুব ভালো। র‍্যাব উৎসব দুঃখ",
    "Chinese": "这部电影很好看，iPhone版不错！𠮷野家",
    "Japanese": "この映画はとても面白かったです。コーヒーとｶﾞｷﾞ",
    "Korean": "영화는 정말 좋았어요. 한글 ㅋㅋㅋ",
    "Thai": "หนังเรื่องนี้ดีมาก น้ำกำลังดี",
    "Lao": "ຮູບເງົາເລື່ອງນີ້ດີຫຼາຍ",
    "Khmer": "រឿងនេះល្អណាស់។ ភាសាខ្មែរ",
    "Burmese": "ဒီရုပ်ရှင်က အရမ်းကောင်းတယ်။ ဗုဒ္ဓ",
    "Tibetan": "བོད་སྐད་ནི་ཡག་པོ་འདུག།",
    "Ethiopic": "ይህ ፊልም በጣም ጥሩ ነው። ሰላም፡ለዓለም",
    "emoji": "👩‍👩‍👧‍👦🇩🇪🇫🇷1️⃣👍🏽❤️❤️ a👍🏽b 🏴󠁧󠁢󠁥󠁮󠁧󠁿",
    "adversarial": "\u0301abc Z̸̡̛ä̴́l̷g̶ó \u0378\u0378a\U000e0fff ok\u200bok a\u00adb",
}
"""A text of each script with what is hard in it."""

# jieba reads its dictionary here, once, and not within the time that an example may take.
words([SCRIPTS["Chinese"]])

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
    "(now)",
    "don't",
    "C#",
    "@host",
    "me@b.org",
    "https://a.org/b",
    "m²",
    *".,:'\"-_@",
    "<b>",
    "\x00",
    *SCRIPTS.values(),
    *(text[start : start + 3] for text in SCRIPTS.values() for start in range(0, len(text), 3)),
)

texts = st.one_of(
    st.sampled_from(["", " ", "\r\n", "?!", "..."]),
    st.lists(st.sampled_from(PIECES), max_size=12).map("".join),
    st.text(max_size=40),
)
"""Any Unicode text without lone surrogates, rich in what breaks segmenters."""

parts = st.one_of(st.tuples(texts), st.tuples(texts, texts))
"""One text or a pair."""


@st.composite
def masked(draw: st.DrawFn) -> tuple[tuple[str, ...], list[bool]]:
    """Return one text or a pair, and whether each of its words is kept."""
    drawn = draw(parts)
    n = len(words(drawn))
    return drawn, draw(st.lists(st.booleans(), min_size=n, max_size=n))


def games(low: int = 1, high: int = 6) -> st.SearchStrategy[Values]:
    """Return games as v of every coalition, shape (2**n,), n from `low` to `high`."""
    return st.integers(low, high).flatmap(
        lambda n: hnp.arrays(np.float64, 2**n, elements=st.floats(-10, 10, width=32))
    )
