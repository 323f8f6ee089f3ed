"""A decision letter: one explained row as a page for the person whom the decision concerns.

It says less than the report, and nothing more certainly: words whose side the errors allow to tell,
changes that the model has confirmed, and what is not known.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from explain.errors import ConfigurationError
from explain.record import Attribution, AuditRecord, InstanceRecord
from explain.record.files import write_whole
from explain.text.redaction import redacted
from reports import LanguageCode, summary
from reports.environment import Verbatim, render
from reports.highlight import Piece, pieces
from reports.instances import Paragraph, Run, part_labels, row_name
from reports.languages import join_texts, speaking
from reports.languages import translate as _
from reports.languages.records import translated_record
from reports.letter_answer import answer_sentences, change_sentences, unknown_sentences
from reports.letter_words import (
    CertainWords,
    certain_words,
    reasons_against,
    trusted_explanation,
)
from reports.text import shorten

__all__ = ["letter_page", "write_letter"]

LONGEST_TEXT = 400
"""Characters of the text that are shown: the letter is one sheet of paper in a wide font too."""

LONGEST_NAME = 60
"""Columns of a name or a label that are shown."""

LONGEST_NOTE = 220
"""Columns of a decision, of a notice or of doubts about an explanation: two lines of the sheet."""

LONGEST_CONTACT = 200
"""Columns of an address: whole, as it is what the person needs."""

LONGEST_WORD = 24
"""Columns of a word that are shown: a sentence is cut."""

MOST_ROWS = 20
"""Rows that are named where another one was asked for."""

HIGHLIGHT = 4
"""Step of the colours behind a word that is listed, whatever its size."""


@dataclass(frozen=True, slots=True)
class WordsView:
    """Which words counted."""

    towards: tuple[str, ...]
    against: tuple[str, ...]
    question: str
    """What the words count for: a label, or a higher value."""
    notes: tuple[str, ...]
    """What is uncertain of them, or why none are named."""


def write_letter(
    record: AuditRecord,
    row: int,
    path: str | Path,
    contact: str | None = None,
    decision: str | None = None,
    language: LanguageCode = "en",
) -> Path:
    """Write the letter of `letter_page` to `path`, whole or not at all, and return the path.

    Parameters
    ----------
    record, row, contact, decision
        As `letter_page` takes them.
    path : str or Path
        The file.
    language : {"en", "zh"}
        English, or Simplified Chinese.

    Raises
    ------
    ConfigurationError
        If the row was not explained, or there is no such language.
    OSError
        If the file cannot be written; what was at `path` before is still there.
    """
    path = Path(path)
    with speaking(language):
        write_whole(path, letter_page(record, row, contact, decision))
    return path


def letter_page(
    record: AuditRecord, row: int, contact: str | None = None, decision: str | None = None
) -> str:
    """Return a page that says what was decided of a row, by which words, and what is not known.

    Parameters
    ----------
    record : AuditRecord
        The audit.
    row : int
        Number of an explained row of its table, counted from 1 after the header.
    contact : str or None
        Whom to ask; None for the owner of the system, if the record names one.
    decision : str or None
        What the decision is called; None for the one that the record says is affected.

    Raises
    ------
    ConfigurationError
        If the row was not explained.
    """
    reference = _reference(record, _explained_row(record, row))
    record = translated_record(record)
    instance = _explained_row(record, row)
    attributions = _of_one_label(record, instance)
    label = attributions[0].target.index
    explanation = trusted_explanation(attributions)
    words = certain_words(explanation, attributions, instance.agreements) if explanation else None
    counterfactual = next((c for c in instance.counterfactuals if c.target.index == label), None)
    identity = record.identity
    return render(
        "letter.html",
        system=shorten(identity.name, LONGEST_NAME),
        decision=shorten(redacted(decision or identity.decision_affected or ""), LONGEST_NOTE),
        notice=shorten(identity.notice or "", LONGEST_NOTE),
        answer=answer_sentences(record, instance),
        paragraphs=_paragraphs(instance, explanation, words),
        is_cut=sum(map(len, instance.parts)) > LONGEST_TEXT,
        words=_words_view(attributions, explanation, words),
        change=change_sentences(counterfactual, multi_label=instance.predictions is not None),
        unknown=unknown_sentences(record, instance, attributions, counterfactual),
        contact=shorten(redacted(contact or identity.owner or ""), LONGEST_CONTACT),
        reference=reference,
    )


def _explained_row(record: AuditRecord, row: int) -> InstanceRecord:
    explained_rows = {i.row: i for i in record.instances if i.attributions}
    if row in explained_rows:
        return explained_rows[row]
    if not explained_rows:
        raise ConfigurationError(
            f"row {row} was not explained, and no other row was; run the audit with --explain"
        )
    rows = sorted(explained_rows)
    more = f" and {len(rows) - MOST_ROWS} more" if len(rows) > MOST_ROWS else ""
    raise ConfigurationError(
        f"row {row} was not explained; a letter can be written of an explained row: "
        f"{', '.join(map(str, rows[:MOST_ROWS]))}{more}"
    )


def _of_one_label(record: AuditRecord, instance: InstanceRecord) -> list[Attribution]:
    """Return what explains the answer, or else the label that is explained first.

    The grade is the worse one of that on this text and that of the method on this model.
    """
    targets = {a.target.label: a.target.index for a in reversed(instance.attributions)}
    first = instance.attributions[0].target.index
    index = targets.get(instance.predicted, first)
    of_methods = {trust.method: trust.grade for trust in record.trust}
    return [
        a.model_copy(
            update={"grade": max(filter(None, (a.grade, of_methods.get(a.method))), default=None)}
        )
        for a in instance.attributions
        if a.target.index == index
    ]


def _paragraphs(
    instance: InstanceRecord,
    explanation: Attribution | None,
    words: CertainWords | None,
) -> Iterator[Paragraph]:
    """Yield the texts, with the words that are listed marked, as far as there is room."""
    listed = words.places if words else ()
    parts, room = instance.parts, LONGEST_TEXT
    if explanation is None:
        cut = pieces(parts, unread=instance.unread)
    else:
        marked = [v if place in listed else 0.0 for place, v in enumerate(explanation.values)]
        cut = pieces(parts, explanation.spans, marked, explanation.unread)
    labels = part_labels() if len(parts) > 1 else ("",)
    for label, part in zip(labels, cut, strict=True):
        shown: list[Piece] = []
        for piece in part:
            text = Verbatim(piece.text[:room])
            room -= len(text)
            sign = (piece.level > 0) - (piece.level < 0)
            shown.append(replace(piece, text=text, level=HIGHLIGHT * sign))
        yield Paragraph(label, (Run("", tuple(piece for piece in shown if piece.text)),), False)


def _words_view(
    attributions: Sequence[Attribution],
    explanation: Attribution | None,
    words: CertainWords | None,
) -> WordsView:
    target = attributions[0].target
    question = shorten(target.label, LONGEST_NAME) if target.scale != "value" else ""
    if explanation is None or words is None:
        reasons = [reason for a in attributions if not a.is_null for reason in reasons_against(a)]
        return WordsView((), (), question, tuple(dict.fromkeys(reasons))[:3])

    def names_of(places: Sequence[int]) -> tuple[str, ...]:
        features = [shorten(explanation.features[place], LONGEST_WORD) for place in places]
        return tuple(dict.fromkeys(features))

    return WordsView(
        names_of(words.towards),
        names_of(words.against),
        question,
        tuple(_notes(explanation, words, names_of(words.disputed))),
    )


def _notes(explanation: Attribution, words: CertainWords, disputed: Sequence[str]) -> Iterator[str]:
    """Yield what is uncertain of the words, in sentences."""
    if words.places:
        yield _(
            "The errors that the method states leave no doubt on which side these words are; how "
            "much each of them counted is less certain."
        )
    else:
        yield _("Of no word it is certain whether it counted for or against.")
    if words.n_more:
        yield _(
            "{n} more {n:word|words} surely counted; {n:it is|they are} not listed here.",
            n=words.n_more,
        )
    if words.n_unsure and words.places:
        yield _(
            "Of {n} other {n:word|words} we cannot say whether {n:it|they} counted for or against, "
            "or {n:it|they} counted little.",
            n=words.n_unsure,
        )
    if disputed:
        yield _(
            "The methods that we used contradict each other about {words:quoted-and}.",
            words=disputed,
        )
    if explanation.grade is None:
        yield _("Nobody has tested whether this explanation can be trusted.")
    elif explanation.grade == "C":
        doubts = join_texts(*explanation.reasons) or _("see the audit.")
        yield _(
            "Our tests leave doubts about this explanation (grade C): {reasons}",
            reasons=shorten(doubts, LONGEST_NOTE),
        )


def _reference(record: AuditRecord, instance: InstanceRecord) -> str:
    return _(
        "{row} of the audit of {day}, record {hash}",
        row=row_name(instance),
        day=summary.day(record),
        hash=summary.record_hash(record)[:16],
    )
