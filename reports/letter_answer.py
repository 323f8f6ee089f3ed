"""What a decision letter says of the answer, of what would have changed it, and of what is open."""

from collections.abc import Iterator, Sequence
from itertools import accumulate

from explain.record import (
    Attribution,
    AuditRecord,
    Counterfactual,
    InstanceRecord,
    Repeats,
    Sentence,
)
from reports.findings import citations
from reports.instances import given_labels
from reports.languages import translate as _
from reports.languages import translated_sentence
from reports.numbers import plain
from reports.text import shorten

__all__ = ["answer_sentences", "change_sentences", "unknown_sentences"]

LONGEST_LABEL = 60
"""Columns of a label, or of a word, that are shown."""

NEARLY_CERTAIN = 0.995
"""Probability that would be rounded to certainty."""

MISCALIBRATED = ("calibration.error", "calibration.over_confident")
"""Codes of findings that the model is more often wrong than it says."""

MOST_JOINED = 6
"""Words that a sentence lists in full, with an "and" before the last."""

LONGEST_CHANGE = 200
"""Columns of the words of a change that are named."""

MOST_FINDINGS = 1
"""Findings that are told of: the gravest."""

LONGEST_CLAIM = 110
"""Columns of a finding that are shown."""

CHANGES = {
    "answer": "Without {words} in your text, the system would have answered {label:quoted}.",
    "lost": "Without {words} in your text, the system would not have given the label "
    "{label:quoted}.",
    "won": "Without {words} in your text, the system would have given the label {label:quoted}.",
}

RIGHT = (
    "How often the system is right about texts like yours. Of {accuracy.n} texts of all kinds it "
    "answered {accuracy} correctly."
)

MOST_LABELS = 4
"""Labels that are named; a model of several labels can give hundreds."""


def answer_sentences(record: AuditRecord, instance: InstanceRecord) -> Iterator[str]:
    """Yield what the model answered, how sure it was, and whether the table says the same."""
    yield from _answer(record, instance)
    if instance.right is not False:
        return
    if labels := given_labels(instance):
        yield _(
            "Caution: the table that the system was tested with has another answer for this text, "
            "{labels:quoted-and}. So this answer may be wrong.",
            labels=_labels_in_words(labels),
        )
    else:
        yield _(
            "Caution: the table that the system was tested with gives this text none of the "
            "labels. So this answer may be wrong."
        )


def _labels_in_words(labels: Sequence[str]) -> list[str]:
    """Return the first labels, and how many more there are."""
    more = [f"+ {len(labels) - MOST_LABELS}"] if len(labels) > MOST_LABELS else []
    return [*(shorten(label, LONGEST_LABEL) for label in labels[:MOST_LABELS]), *more]


def _answer(record: AuditRecord, instance: InstanceRecord) -> Iterator[str]:
    if instance.predictions is not None:
        if not instance.predictions:
            yield _("The system gave your text none of its labels.")
            return
        given = instance.predictions
        yield _(
            "The system gave your text {n:the label|these labels}: {labels:quoted-and}.",
            n=len(given),
            labels=_labels_in_words([each.label for each in given]),
        )
        return
    if instance.probability is None:
        yield _("The system gave your text the value {value}.", value=plain(max(instance.scores)))
        return
    yield _(
        "The system classified your text as {label:quoted}.",
        label=shorten(instance.predicted, LONGEST_LABEL),
    )
    if instance.probability > NEARLY_CERTAIN:
        yield _("By its own estimate, the chance that this is right is more than 99 %.")
    else:
        yield _(
            "By its own estimate, the chance that this is right is {p:percent}.",
            p=instance.probability,
        )
    if any(finding.code in MISCALIBRATED for finding in record.findings):
        yield _("Our tests found that these estimates are not reliable.")
    else:
        yield _("This estimate can be wrong.")


def change_sentences(counterfactual: Counterfactual | None, *, multi_label: bool) -> Iterator[str]:
    """Yield which words, left out, would have changed the answer; only what the model confirmed.

    Parameters
    ----------
    counterfactual : Counterfactual or None
        What was found of the label that is explained; None if nothing was looked for.
    multi_label : bool
        Whether other labels can be given beside it.
    """
    if counterfactual is None:
        yield _("Nobody examined which change would have led to another answer.")
        return
    decisive = counterfactual.necessary
    if decisive.places is None:
        if decisive.all_tried >= len(counterfactual.spans):
            yield _("Leaving words out does not change the answer: we tried all combinations.")
        else:
            yield _(
                "We found no words that change the answer when they are left out; there may be "
                "some."
            )
        return
    if not decisive.is_confirmed:
        yield _(
            "We found a change, but the system did not confirm it when it was asked again, so we "
            "do not state it."
        )
        return
    label = counterfactual.target.label if multi_label else decisive.predicted or ""
    way = "answer" if not multi_label else "lost" if counterfactual.is_given else "won"
    yield _(
        CHANGES[way],
        words=_words(counterfactual.features_of(decisive)),
        label=shorten(label, LONGEST_LABEL),
    )
    yield _("We asked the system again, and it gave the same answer to the changed text.")
    if counterfactual.removal != "delete":
        yield _(
            "For this test each word that is left out was replaced by {removal:quoted}.",
            removal=counterfactual.removal,
        )
    others = (decisive.n_equal or 1) - 1
    if others:
        yield _(
            "{others} other {others:change|changes} of the same size would do that too.",
            others=others,
        )
    if not decisive.smallest:
        yield _("A smaller change may do the same.")


def _words(features: Sequence[str]) -> str:
    """Return the words of a change: all of them, as a person cannot look them up elsewhere."""
    shown = [shorten(word, LONGEST_LABEL // 2) for word in features]
    if len(features) <= MOST_JOINED:
        return _("{words:quoted-and}", words=shown)
    ends = accumulate(len(word) + len('"", ') for word in shown)
    n_named = sum(end <= LONGEST_CHANGE for end in ends)
    listed = _(", ").join(_("{word:quoted}", word=word) for word in shown[:n_named])
    if n_named == len(features):
        return listed
    return _("{words} and {n} more", words=listed, n=len(features) - n_named)


def unknown_sentences(
    record: AuditRecord,
    instance: InstanceRecord,
    attributions: Sequence[Attribution],
    counterfactual: Counterfactual | None,
) -> Iterator[str]:
    """Yield what is not known of the answer, or known to be wrong with the system.

    Parameters
    ----------
    record : AuditRecord
        The audit.
    instance : InstanceRecord
        The row.
    attributions : sequence of Attribution
        What explains its answer, be it trusted or not.
    counterfactual : Counterfactual or None
        What was found of the label that is explained.
    """
    if instance.labels is None:
        yield _(
            "Whether the answer is right: nobody has given this text an answer to compare with."
        )
    yield from _accuracy(record)
    if instance.unread:
        yield _(
            "What the end of your text would have changed: the system did not read {n} of its "
            "{of} characters.",
            n=sum(span.end - span.start for span in instance.unread),
            of=sum(map(len, instance.parts)),
        )
    if any(map(_is_default, attributions)):
        yield _("What your words add: the system gives this answer even to an empty text.")
    repeats = [each.repeats for each in attributions]
    repeats += [counterfactual.repeats] if counterfactual else []
    if any(map(_wavers, repeats)):
        yield _(
            "Whether the answer would be the same again: asked about the same text twice, the "
            "system does not always say the same."
        )
    if counterfactual is not None and counterfactual.necessary.is_confirmed:
        yield _("Whether other words would have changed the answer: we only left words out.")
    yield _(
        "Who took the decision, and what else it rests on: we examined only what the system "
        "answers to your text."
    )
    yield from _findings(record, instance)


def _accuracy(record: AuditRecord) -> Iterator[str]:
    try:
        accuracy = record.measure("performance.accuracy")
    except KeyError:
        return
    if accuracy.value is not None:
        yield translated_sentence(Sentence(RIGHT, accuracy=accuracy))


def _is_default(attribution: Attribution) -> bool:
    """Tell whether the model gives the answer to the text without any of its words, too."""
    empty, full = attribution.empty_value, attribution.full_value
    return attribution.target.scale != "value" and min(empty, full) > attribution.target.cut


def _wavers(repeats: Repeats | None) -> bool:
    return repeats is not None and repeats.differences > 0


def _findings(record: AuditRecord, instance: InstanceRecord) -> Iterator[str]:
    """Yield the problems of the system that this very text is an example of."""
    for rank in citations(record).get(instance.id, ())[:MOST_FINDINGS]:
        yield _(
            "Your text is an example of a problem that was found: {claim}",
            claim=shorten(record.findings[rank - 1].claim, LONGEST_CLAIM),
        )
