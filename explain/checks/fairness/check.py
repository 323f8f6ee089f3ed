"""Whether the model treats people alike: by the words that name them, and by group."""

from dataclasses import dataclass, field
from typing import Annotated, ClassVar

from pydantic import Field

from explain.checks.base import AuditContext, not_measured
from explain.checks.base.decisions import outcomes, significant_findings
from explain.checks.base.identity_terms import languages_of, mentions, namings, sentence_sets
from explain.checks.base.part import Part
from explain.checks.fairness.groups import compare_groups
from explain.checks.fairness.identity_swaps import swapped
from explain.checks.fairness.metrics import (
    CALIBRATION_GAP,
    FALSE_POSITIVE_RATE,
    IMPACT_RATIO,
    SELECTION_RATE,
    SWAP_FLIP_RATE,
    TRUE_POSITIVE_RATE,
)
from explain.checks.fairness.named_errors import wrongly_called
from explain.checks.fairness.neutral_sentences import in_sentences
from explain.record import Finding, MetricSpec, Section

__all__ = ["FairnessCheck"]

MOST_FINDINGS = 5


@dataclass(frozen=True, slots=True)
class FairnessCheck:
    """Neutral sentences and texts of the data with other words for people, and groups.

    Attributes
    ----------
    terms : mapping of str to sequence of str
        Words or names of your own for groups of people, looked for and swapped beside those of
        the list that comes with the package.
    favourable : str or None
        The label that people want to get; None tries every label.
    languages : sequence of str or None
        Languages of the neutral sentences and of the words that are looked for; None for those
        that the texts are in.
    swaps : int
        Texts in which words for people are swapped, drawn at random; 0 for none.
    """

    terms: dict[str, list[str]] = field(default_factory=dict)
    favourable: str | None = None
    languages: list[str] | None = None
    swaps: Annotated[int, Field(ge=0)] = 400

    id: ClassVar[str] = "fairness"
    title: ClassVar[str] = "Fairness"
    metrics: ClassVar[tuple[MetricSpec, ...]] = (
        SELECTION_RATE,
        IMPACT_RATIO,
        TRUE_POSITIVE_RATE,
        FALSE_POSITIVE_RATE,
        CALIBRATION_GAP,
        SWAP_FLIP_RATE,
    )

    def run(self, context: AuditContext) -> Section:
        """Return what the model decides about people, by word and by group."""
        texts = [instance.parts for instance in context.instances]
        languages = tuple(self.languages or languages_of(texts))
        wanted = outcomes(context, self.favourable)
        sets = sentence_sets(languages, self.terms)
        single = all(len(parts) == 1 for parts in texts)
        known = namings(languages, self.terms)
        found = mentions(texts, known)
        by_word = [
            in_sentences(context, sets, wanted) if single else Part(),
            wrongly_called(context, found, wanted),
            swapped(context, found, known, wanted, self.swaps) if self.swaps else Part(),
        ]
        whole = sum(by_word, compare_groups(context, self.favourable))
        if not (whole.tables or whole.measures):
            return not_measured(
                self,
                "no text names people by a word of the list, no group column was named, and "
                "neutral sentences are single texts while the model reads pairs",
            )
        findings = significant_findings(whole.claims, MOST_FINDINGS)
        n_naming = sum(map(bool, found))
        return Section(
            id=self.id,
            title=self.title,
            summary=_summary(context, languages, n_naming, len(whole.claims), findings),
            measures=tuple(whole.measures),
            tables=tuple(whole.tables),
            figures=tuple(whole.figures),
            findings=findings,
        )


def _summary(
    context: AuditContext,
    languages: tuple[str, ...],
    n_naming: int,
    n_claims: int,
    findings: tuple[Finding, ...],
) -> str:
    group = "No column of groups was named. "
    if context.group is not None:
        group = f"Groups are compared by the column {context.group}. "
        if failed := len(context.unanswered):
            group += (
                f"{failed:,} of {failed + len(context.instances):,} rows got no answer; they count "
                "in their groups, and got no decision. "
            )
    return (
        f"{group}{n_naming:,} of {len(context.instances):,} texts name people by a first name or a "
        f"word of the list ({', '.join(languages)}). Differences tested together: "
        f"{n_claims:,}; beyond doubt, large and not said by another: {len(findings)}."
    )
