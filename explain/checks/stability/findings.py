"""What the check of stability says: a summary, findings, and the texts that change most."""

from collections.abc import Sequence

import numpy as np

from explain.checks.base import AuditContext
from explain.checks.stability.trials import AGAIN, BATCHES, Trial, rounding_of
from explain.record import Cell, Finding, InstanceLink, Sentence, Table, join_sentences
from explain.statistics.power import share_found_from

__all__ = ["changed_texts", "findings_of", "summary_of"]

LARGE_CHANGE = 0.01
"""Change of a probability with the batch of a text that no rounding explains in any dtype."""

MOST_OF_EACH = 5


def summary_of(context: AuditContext, trials: Sequence[Trial], n: int) -> str:
    """Return whether the same text got the same answer, on how many texts."""
    method = Sentence(
        "We scored {n} random {n:text|texts} again in {ways} {ways:way|ways}.",
        n=n,
        ways=len(trials),
    )
    again = next((trial for trial in trials if trial.name == AGAIN), None)
    if again is None:
        return method
    if again.largest == 0:
        template = "Each text, scored again, got exactly the same answer."
    elif again.largest <= rounding_of(context):
        template = (
            "Each text, scored again, got the same answer (largest change {largest:.1e}, which is "
            "rounding)."
        )
    else:
        template = (
            "Not every text, scored again, got the same answer (largest change {largest:.1e})."
        )
    return join_sentences(Sentence(template, largest=again.largest), method, _power(trials, n))


def _power(trials: Sequence[Trial], n: int) -> str:
    """Return which faults could have been overlooked, where no label changed."""
    found = share_found_from(1, n)
    if found is None or any(trial.flips.any() for trial in trials):
        return ""
    fewest = min(trials, key=lambda trial: len(trial.rows))
    return Sentence(
        "No label changed. Each way had a chance of 80 % to show a fault that changes the label of "
        "{found:percent} of all texts."
        if len(fewest.rows) == n
        else "No label changed. Each way had a chance of 80 % to show a fault that changes the "
        "label of {found:percent} of all texts; {way:quoted}, tried on {fewest} "
        "{fewest:text|texts}, one that changes {by_fewest:percent}.",
        found=found,
        way=fewest.name,
        fewest=len(fewest.rows),
        by_fewest=share_found_from(1, len(fewest.rows)) or 1.0,
    )


def findings_of(context: AuditContext, trials: Sequence[Trial]) -> tuple[Finding, ...]:
    """Return a finding if the same input, or else its batch, changes what a text gets.

    These are facts about the calls that were made, and need no test.
    """
    again = [t for t in trials if t.name == AGAIN and t.largest > rounding_of(context)]
    in_batches = [
        t
        for t in trials
        if t.name in BATCHES and t.largest > max(LARGE_CHANGE, rounding_of(context))
    ]
    largest_first = sorted(in_batches, key=lambda t: -t.largest)
    return tuple(_finding(context, trial) for trial in again or largest_first[:1])


def _finding(context: AuditContext, trial: Trial) -> Finding:
    regression = context.model.task == "regression"
    change = Sentence(
        "The value changed by up to {largest:.2g} ({n} {n:text|texts})."
        if regression
        else "{flips} of {n} {n:text|texts} got another label, and a probability changed by up to "
        "{largest:.2g}.",
        flips=int(trial.flips.sum()),
        n=len(trial.rows),
        largest=trial.largest,
    )
    if trial.name == AGAIN:
        claim = "The model gives different answers to the very same texts."
        suggestion = (
            "Switch off what is random in the model (dropout, sampling, an endpoint that changes) "
            "before you rely on anything else in this report."
        )
    else:
        claim = Sentence(
            "The model gives another answer when a text is scored {way}.", way=BATCHES[trial.name]
        )
        suggestion = "Check that padding is masked, and that nothing is averaged over a batch."
    worst = np.argsort(-trial.changes, kind="stable")[:3]
    first, *_ = trial.measures(context.model.task)
    return Finding(
        code="stability.changes",
        subject=trial.name,
        claim=join_sentences(claim, change),
        severity="critical" if trial.flips.any() else "major",
        size=first.distance_from(0),
        measure=first,
        evidence=("stability", *(context.instances[trial.rows[i]].id for i in worst)),
        suggestion=suggestion,
    )


def changed_texts(context: AuditContext, trials: Sequence[Trial]) -> tuple[Table, ...]:
    """Return the texts that change most beyond rounding."""
    rows: list[tuple[float, tuple[Cell, ...]]] = []
    for trial in trials:
        for i in np.argsort(-trial.changes, kind="stable")[:MOST_OF_EACH]:
            change = float(trial.changes[i])
            if change > rounding_of(context):
                link = InstanceLink(instance=context.instances[trial.rows[i]].id)
                flipped = "yes" if trial.flips[i] else "no"
                rows.append((-change, (link, trial.name, change, flipped)))
    if not rows:
        return ()
    rows.sort(key=lambda row: row[0])
    return (
        Table(
            title="Largest changes",
            columns=("instance", "scored", "largest change", "another label"),
            rows=tuple(row for _, row in rows),
            note=Sentence(
                "For each way, up to {most} texts whose change is more than rounding (above "
                "{rounding:.0e}).",
                most=MOST_OF_EACH,
                rounding=rounding_of(context),
            ),
        ),
    )
