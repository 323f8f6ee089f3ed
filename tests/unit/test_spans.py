"""Texts are cut into features that are the user's own characters."""

import csv
import marshal
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from explain.errors import SegmentationError
from explain.text import words as words_module
from explain.text.spans import Segmentation, Span, parts_of, text_of
from explain.text.words import LONGEST_HAN, han_rule, sentences, words
from tests.helpers import strategies


def cut(text: str) -> list[str]:
    return [text[span.start : span.end] for span in words([text])]


def cut_into_sentences(text: str) -> list[str]:
    return [text[span.start : span.end] for span in sentences([text])]


@contextmanager
def without_jieba() -> Iterator[None]:
    """Make it impossible to import jieba."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "jieba", None)
        words_module._jieba.cache_clear()
        yield
    words_module._jieba.cache_clear()


@pytest.mark.parametrize(
    ("text", "features"),
    [
        ("It's no good...", ["It's", "no", "good", "..."]),
        ("a , b !", ["a", ",", "b", "!"]),
        ("wow!!! :)", ["wow", "!!!", ":", ")"]),
        ("don’t pay 3.14", ["don’t", "pay", "3.14"]),
        ("مرحبا بالعالم!", ["مرحبا", "بالعالم", "!"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("👩‍👩‍👧‍👦🇩🇪🇫🇷", ["👩‍👩‍👧‍👦", "🇩🇪", "🇫🇷"]),
        ("a\r\nb", ["a", "b"]),
        ("", []),
        (" ", []),
        ("?!", ["?", "!"]),
    ],
)
def test_words_follow_unicode_boundaries_with_punctuation(text: str, features: list[str]) -> None:
    assert cut(text) == features


@pytest.mark.parametrize(
    ("text", "features"),
    [
        ("rock'n'roll n’est 'apple' o'clock", "rock'n'roll|n’est|'|apple|'|o'clock"),
        ("snake_case U.S.A. 1,234.56 cool:D", "snake_case|U.S.A|.|1,234.56|cool|:|D"),
        ("see https://a.org/b?c=1&d#e, ok", "see|https://a.org/b?c=1&d#e|,|ok"),
        ("WWW.a.org/x) me.you@a-b.co.uk.", "WWW.a.org/x|)|me.you@a-b.co.uk|."),
        ("见https://a.org。", "见|https://a.org|。"),
        ("@user_1: #hashtag C# a@b 5 @ 6", "@user_1|:|#hashtag|C|#|a|@|b|5|@|6"),
        ("Э́то всё-таки м'яч", "Э́то|всё|-|таки|м'яч"),
        ("ἀλλ᾽ ἐγώ δεν;", "ἀλλ|᾽|ἐγώ|δεν|;"),
        ("كِتَابٌ جميـــــل اليُتّمِ. ٣٫١٤ ١٬٠٠٠", "كِتَابٌ|جميـــــل|اليُتّمِ|.|٣٫١٤|١٬٠٠٠"),
        ("رمضان:شهر می‌خواهم #مرحبا_بكم", "رمضان|:|شهر|می‌خواهم|#مرحبا_بكم"),
        ("שָׁלוֹם צה״ל צַה\"ל ג'ירפה רח' בית־ספר", "שָׁלוֹם|צה״ל|צַה\"ל|ג'ירפה|רח'|בית|־|ספר"),
        ("फ़िल्म है। क्‍ष क्‌ष १,०००", "फ़िल्म|है|।|क्‍ष|क्‌ष|१,०००"),
        ("র‍্যাব উৎসব দুঃখ ভালো।", "র‍্যাব|উৎসব|দুঃখ|ভালো|।"),
        ("영화는 좋았어요. 한글", "영화는|좋았어요|.|한글"),
        ("この映画はとても面白かったです。", "この|映画|はとても|面白|かったです|。"),
        (
            "コーヒーを らーめん すーぱーマン か\u3099",
            "コーヒー|を|らーめん|すーぱー|マン|か\u3099",
        ),
        ("東京都庁へ", "東京都庁|へ"),
        ("หนังเรื่องนี้ดีมาก ๆ", "ห|นัง|เรื่อ|ง|นี้|ดี|มา|ก|ๆ"),
        ("เรียนน้ำสัตว์เกาะตัวเก่ง", "เรีย|น|น้ำ|สัตว์|เกาะ|ตัว|เก่|ง"),
        ("กก", "ก|ก"),
        ("ເງົາເລື່ອງນີ້", "ເງົາ|ເລື່|ອ|ງ|ນີ້"),
        ("ល្អណាស់។ ខ្មែរ", "ល្អ|ណាស់|។|ខ្មែ|រ"),
        ("မြန်မာ ကောင်းတယ်။ ဗုဒ္ဓ", "မြန်|မာ|ကောင်း|တယ်|။|ဗု|ဒ္ဓ"),
        ("བོད་སྐད་ཡག།", "བོད་|སྐད་|ཡག|།"),
        ("ሰላም፡ለዓለም።", "ሰላም|፡|ለዓለም|።"),
        ("1️⃣👍🏽👍🏽❤️❤️🇩🇪🇩🇪🇫🇷", "1️⃣|👍🏽👍🏽|❤️❤️|🇩🇪🇩🇪|🇫🇷"),
        ("a👍🏽b 🏴󠁧󠁢󠁥󠁮󠁧󠁿", "a|👍🏽|b|🏴󠁧󠁢󠁥󠁮󠁧󠁿"),
        ("iPhone版 3月", "iPhone|版|3|月"),
        ("ok\u200bok a\u00adb !\u200e", "ok\u200b|ok|a\u00adb|!\u200e"),
        ("\u0301abc \u0378\u0379", "\u0301|abc|\u0378|\u0379"),
    ],
)
def test_words_are_what_readers_of_a_script_call_so(text: str, features: str) -> None:
    assert cut(text) == features.split("|")


def test_chinese_is_cut_by_jieba_where_it_is_and_else_by_character() -> None:
    text = "这部电影很好看，iPhone版不错！"
    assert han_rule().startswith("jieba 0.")
    assert cut(text) == ["这部", "电影", "很", "好看", "，", "iPhone", "版", "不错", "！"]
    with without_jieba():
        assert han_rule() == "by character"
        assert cut(text) == [*"这部电影很好看，", "iPhone", *"版不错！"]


@pytest.mark.parametrize("decoration", ["", "鲜の每日", "¯\\_(ツ)_/¯", "(づ｡◕‿‿◕｡)づ"])
def test_a_decoration_with_kana_makes_no_text_japanese(decoration: str) -> None:
    assert cut(f"我们都喜欢这部电影{decoration}")[:4] == ["我们", "都", "喜欢", "这部"]


def test_jieba_reads_no_shared_file_writes_none_and_is_silent(tmp_path: Path) -> None:
    cache = tmp_path / "jieba.cache"
    planted = marshal.dumps(({"这部电影": 10**6}, 10**6))
    cache.write_bytes(planted)
    code = (
        "import sys, explain.text.words as s\n"
        "s.words(['good']); assert 'jieba' not in sys.modules\n"
        "print(s.han_rule().split()[0], len(s.words(['这部电影'])))"
    )
    # Without compiled files jieba's own source is read, which newer Pythons warn of.
    environment = os.environ | {"TMPDIR": str(tmp_path), "PYTHONPYCACHEPREFIX": str(tmp_path / "p")}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, env=environment
    )
    assert (done.stdout, done.stderr) == ("jieba 2\n", "")
    assert cache.read_bytes() == planted
    assert sorted(path.name for path in tmp_path.iterdir()) in (
        ["jieba.cache"],
        ["jieba.cache", "p"],
    )


@pytest.mark.parametrize("jieba", [True, False], ids=["jieba", "by-character"])
@given(text=strategies.texts | st.text(st.characters(codec="utf-8")))
def test_words_cover_all_but_white_space_in_order_and_cut_no_grapheme(
    jieba: bool, text: str
) -> None:
    if jieba:
        found = words([text])
    else:
        with without_jieba():
            found = words([text])
    assert list(found) == sorted(found)
    covered = {i for span in found for i in range(span.start, span.end)}
    assert len(covered) == sum(span.end - span.start for span in found)
    assert all(text[i].isspace() for i in range(len(text)) if i not in covered)
    inside = {i for m in regex.finditer(r"\X", text) for i in range(m.start() + 1, m.end())}
    trimmed = {i for i in inside if text[i - 1].isspace() or text[i].isspace()}
    for span in found:
        assert span.start not in inside - trimmed
        assert span.end not in inside - trimmed


@pytest.mark.parametrize("language", ["arabic", "german", "hindi", "spanish"])
def test_words_of_real_tweets_hold_letters_or_marks_and_not_both(
    shared: Path, language: str
) -> None:
    with (shared / "data/multilingual_sentiment/tweets.csv").open(encoding="utf-8") as file:
        tweets = [row["text"] for row in csv.DictReader(file) if row["language"] == language]
    assert len(tweets) > 2_000
    found = [regex.sub(r"\p{Cf}", "", word) for tweet in tweets for word in cut(tweet)]
    plain = regex.compile(r"\p{P}*|\X|(\X)\1+|[@#]?[\p{L}\p{M}\p{N}_'’.,]+|https?://.+|.+@.+")
    assert [word for word in found if not plain.fullmatch(word)] == []


@given(strategies.texts)
def test_sentences_cover_all_but_white_space(text: str) -> None:
    covered = {i for span in sentences([text]) for i in range(span.start, span.end)}
    assert all(text[i].isspace() for i in range(len(text)) if i not in covered)


@given(strategies.parts)
def test_parts_and_text_are_inverse(parts: tuple[str, ...]) -> None:
    assert parts_of(text_of(parts)) == parts


@pytest.mark.parametrize(
    "spans",
    [(Span(0, 0, 2), Span(0, 1, 3)), (Span(0, 2, 2),), (Span(0, 0, 9),)],
    ids=["overlapping", "empty", "outside"],
)
def test_a_segmentation_refuses_spans_that_are_no_features(spans: tuple[Span, ...]) -> None:
    with pytest.raises(SegmentationError, match="overlaps"):
        Segmentation(("abc",), spans)


def test_a_lone_surrogate_is_refused_by_name() -> None:
    with pytest.raises(SegmentationError, match=r"U\+D800"):
        Segmentation(("a\ud800",), ())


@pytest.mark.parametrize("text", [None, 3, ["a", "b"], ("a", "b", "c"), ("a", 1)])
def test_what_is_no_text_is_refused(text: Any) -> None:
    with pytest.raises(SegmentationError, match="a text is a string or a pair"):
        parts_of(text)


def test_a_long_line_of_spaces_has_no_features() -> None:
    assert words([" " * 100_000]) == ()
    assert sentences([" " * 100_000]) == ()


def test_long_gaps_and_long_runs_of_marks_are_read_in_linear_time() -> None:
    text = "a" + " " * 1_000_000 + "b" + "." * 1_000_000 + "\n" * 1_000
    assert len(sentences([text])) == 1


@pytest.mark.parametrize(
    "piece",
    [
        *("🇩", "🇩\u0301", "👩\u200d", "\u0301", ".", "a.", "a@", "http://!", ".…。", ".)"),
        *("龘", "กั", "က်", 'א"', "の"),
    ],
)
def test_a_long_text_takes_linear_time(piece: str) -> None:
    text = piece * (50_000 // len(piece))
    started = time.process_time()
    words([text])
    sentences([text])
    assert time.process_time() - started < 10  # below 1 s; minutes if it grew with the square


def test_a_long_run_of_han_characters_is_cut_into_words_piece_by_piece() -> None:
    once = cut("电影")
    assert cut("电影" * LONGEST_HAN) == once * LONGEST_HAN


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Fine.) “Not bad!” 3.14 e.g", "Fine.)|“Not bad!”|3.14 e.g"),
        ("a?! b… c", "a?!|b…|c"),
        ("one\n two\r\n\r\nthree", "one|two|three"),
        ("很好！！！真的？“好。”然后……", "很好！！！|真的？|“好。”|然后……"),
        ("面白い。（本当！）はい", "面白い。|（本当！）|はい"),
        ("لا؟ نعم. کیا۔ہاں", "لا؟|نعم.|کیا۔|ہاں"),
        ("है। नहीं॥ हाँ", "है।|नहीं॥|हाँ"),
        ("ကောင်းတယ်။မြန်မာ", "ကောင်းတယ်။|မြန်မာ"),
        ("ነው። ሰላም፧ አዎ", "ነው።|ሰላም፧|አዎ"),
        ("ល្អ។ខ្មែរ៕", "ល្អ។|ខ្មែរ៕"),
        ("ཡག།བོད།", "ཡག།|བོད།"),
        ("δεν; ναι· ἀλλ; a; b", "δεν;|ναι· ἀλλ;|a; b"),
        ("หนังดี มากๆ ๒๐ บาท ok ครับ", "หนังดี|มากๆ ๒๐ บาท ok ครับ"),
        ("ຮູບ ດີ", "ຮູບ|ດີ"),
    ],
)
def test_sentences_end_where_readers_of_a_script_end_them(text: str, found: str) -> None:
    assert cut_into_sentences(text) == found.split("|")


@pytest.mark.parametrize("span", [Span(1, 0, 1), Span(-1, 0, 1), Span(0, -1, 1)])
def test_a_span_of_another_part_is_refused(span: Span) -> None:
    with pytest.raises(SegmentationError):
        Segmentation(("abc",), (span,))
