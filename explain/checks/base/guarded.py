"""Checks that cannot end an audit, and that say on how many of their texts the model failed."""

from collections import Counter
from collections.abc import Callable

from explain.adapters.failures import INTERRUPTS, first_line
from explain.checks.base import AuditContext, Check, not_measured
from explain.data.dataset import Dataset
from explain.engine.liveness import Watch
from explain.errors import ConfigurationError
from explain.record import Section, Sentence, Table, join_sentences
from explain.text.spans import text_of

__all__ = ["MOST_LOST", "losses_of_methods", "run_guarded", "with_losses"]

MOST_LOST = 0.05
"""Share of the texts of a check that may get no answer. What the model fails on is no random part
of them: with one in twenty lost, a rate can be off by five points."""

MOST_REASONS = 10
"""Reasons that a section lists, the most frequent first."""


def run_guarded(
    check: Check, context: AuditContext, failed: Callable[[str, BaseException], None]
) -> Section:
    """Return what a check measured, with what it lost; or why it measured nothing.

    Parameters
    ----------
    check : Check
        The check.
    context : AuditContext
        All that it may look at.
    failed : callable
        Takes the id of the check and what it raised.

    Raises
    ------
    ConfigurationError
        If the check was asked for what it cannot do.
    """
    with context.engine.watch() as watch:
        try:
            section = check.run(context).with_metrics(check.metrics)
        except (ConfigurationError, *INTERRUPTS):
            raise
        except BaseException as error:
            failed(check.id, error)
            section = not_measured(
                check, Sentence("the check failed with {error}", error=first_line(error))
            )
    return with_losses(section, watch, context.dataset, "this check")


def with_losses(section: Section, watch: Watch, dataset: Dataset, asker: str) -> Section:
    """Return a section that says which texts got no answer; one without content if too many.

    Rows of the table that were answered, or lost, before are not counted again.

    Parameters
    ----------
    section : Section
        What was measured.
    watch : Watch
        The texts that were asked for.
    dataset : Dataset
        The table.
    asker : str
        Who asked for them: ``this check``.
    """
    n_asked, reasons = _lost_texts(watch, dataset)
    if not reasons:
        return section
    no_answer = _no_answer(reasons.total(), n_asked, asker)
    if reasons.total() > MOST_LOST * n_asked:
        reason = Sentence(
            "{no_answer}, more than {most:percent}; the most frequent reason: {reason}",
            no_answer=no_answer,
            most=MOST_LOST,
            reason=reasons.most_common(1)[0][0],
        )
        return Section.not_measured(section.id, section.title, reason)
    note = Sentence(
        "{no_answer}. They are left out. Number of reasons: {reasons}.",
        no_answer=no_answer,
        reasons=len(reasons),
    )
    summary = join_sentences(section.summary, Sentence("{no_answer}.", no_answer=no_answer))
    tables = (*section.tables, _table_of_reasons(reasons, note))
    return section.model_copy(update={"summary": summary, "tables": tables})


def losses_of_methods(watch: Watch, dataset: Dataset) -> tuple[Section, ...]:
    """Return a section on the texts that got no answer while rows were explained; none if all did.

    An explanation is complete or missing, so that what there is stays, however many are lost.

    Parameters
    ----------
    watch : Watch
        The texts that methods and the search for counterfactuals asked for.
    dataset : Dataset
        The table.
    """
    n_asked, reasons = _lost_texts(watch, dataset)
    if not reasons:
        return ()
    no_answer = _no_answer(reasons.total(), n_asked, "the methods")
    summary = Sentence(
        "{no_answer}. What they were needed for is missing, and listed with its reason.",
        no_answer=no_answer,
    )
    note = Sentence("Number of reasons: {reasons}.", reasons=len(reasons))
    section = Section(
        id="explaining",
        title="Texts lost while rows were explained",
        summary=summary,
        tables=(_table_of_reasons(reasons, note),),
    )
    return (section,)


def _lost_texts(watch: Watch, dataset: Dataset) -> tuple[int, Counter[str]]:
    """Return how many texts were asked for, and how often each reason lost one."""
    rows = {text_of(row.parts) for row in dataset.rows if row.parts}
    texts = watch.sent_texts | (watch.requested_texts - rows)
    return len(texts), Counter(reason for text, reason in watch.failures.items() if text in texts)


def _no_answer(n_lost: int, n_asked: int, asker: str) -> Sentence:
    return Sentence(
        "{lost} of {n} texts that {asker} asked for got no answer",
        lost=n_lost,
        n=n_asked,
        asker=asker,
    )


def _table_of_reasons(reasons: Counter[str], note: Sentence) -> Table:
    return Table(
        title="Texts without an answer",
        columns=("reason", "texts"),
        rows=tuple(reasons.most_common(MOST_REASONS)),
        note=note,
    )
