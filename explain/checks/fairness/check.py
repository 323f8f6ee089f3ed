"""Whether the model treats people alike: by the words that name them, and by group."""

from dataclasses import dataclass, field
from typing import Annotated, ClassVar

from pydantic import Field

from explain.checks.base import AuditContext, not_measured
from explain.checks.base.decisions import possible_decisions, significant_findings
from explain.checks.base.identity_terms import identity_terms, languages_of, mentions, sentence_sets
from explain.checks.base.section_part import Part
from explain.checks.fairness.groups import compare_groups
from explain.checks.fairness.identity_swaps import compare_swaps
from explain.checks.fairness.metrics import (
    CALIBRATION_GAP,
    FALSE_POSITIVE_RATE,
    IMPACT_RATIO,
    SELECTION_RATE,
    SWAP_FLIP_RATE,
    TRUE_POSITIVE_RATE,
)
from explain.checks.fairness.named_errors import compare_errors
from explain.checks.fairness.neutral_sentences import compare_sentences
from explain.record import MetricSpec, Section, Sentence, join_sentences

__all__ = ["FairnessCheck"]

MOST_FINDINGS = 5


@dataclass(frozen=True, slots=True)
class FairnessCheck:
    """Decisions on neutral sentences, on texts with other words for people, and on groups.

    Attributes
    ----------
    terms : mapping of str to sequence of str
        Your own words or names for groups of people. They are looked for and swapped in addition
        to the list that comes with the package.
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
        compared = possible_decisions(context, self.favourable)
        sets = sentence_sets(languages, self.terms)
        single = all(len(parts) == 1 for parts in texts)
        terms = identity_terms(languages, self.terms)
        mentioned = mentions(texts, terms)
        by_word = [
            compare_sentences(context, sets, compared) if single else Part(),
            compare_errors(context, mentioned, compared),
            compare_swaps(context, mentioned, terms, compared, self.swaps)
            if self.swaps
            else Part(),
        ]
        whole = sum(by_word, compare_groups(context, self.favourable))
        if not (whole.tables or whole.measures):
            return not_measured(
                self,
                "no text contains a word for people from the list, no column of groups was named, "
                "and neutral sentences are single texts, while the model reads pairs",
            )
        findings = significant_findings(whole.claims, MOST_FINDINGS)
        return Section(
            id=self.id,
            title=self.title,
            summary=_summary(
                context, languages, sum(map(bool, mentioned)), len(whole.claims), len(findings)
            ),
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
    n_findings: int,
) -> str:
    return join_sentences(
        Sentence(
            "We tested {tested} {tested:difference|differences} between people.", tested=n_claims
        ),
        _significance(n_claims, n_findings),
        _grouping(context),
        Sentence(
            "{naming} of {n} {n:text names|texts name} people by a first name or a word of the "
            "list ({languages:and}).",
            naming=n_naming,
            n=len(context.instances),
            languages=languages,
        ),
    )


def _significance(n_claims: int, n_findings: int) -> str:
    if n_claims == 0:
        return ""
    if n_findings == 0:
        return Sentence(
            "{tested:It is not|None of them is} both statistically significant and large.",
            tested=n_claims,
        )
    if n_claims == 1:
        return "It is statistically significant and large, and reported as a finding."
    return Sentence(
        "{findings} of them {findings:is|are} statistically significant and large, and "
        "{findings:is reported as a finding|are reported as findings}. Differences that say the "
        "same are reported once.",
        findings=n_findings,
    )


def _grouping(context: AuditContext) -> str:
    if context.group is None:
        return "No column of groups was named."
    unanswered = len(context.unanswered)
    failed = Sentence(
        "{unanswered} of {n} {n:row|rows} got no answer; they count in their groups as rows "
        "without a decision.",
        unanswered=unanswered,
        n=unanswered + len(context.instances),
    )
    return join_sentences(
        Sentence("Groups are compared by the column {column}.", column=context.group),
        failed if unanswered else "",
    )
