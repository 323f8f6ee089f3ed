"""Whether the model treats people alike: by the words that name them, and by group."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, ClassVar

from pydantic import Field

from explain.checks.base import LEVEL, AuditContext, not_measured
from explain.checks.base.decisions import (
    adjust_together,
    distinct_findings,
    possible_decisions,
)
from explain.checks.base.identity_terms import (
    identity_terms,
    languages_of,
    mentions,
    name_sets,
    sentence_sets,
)
from explain.checks.base.section_part import Part
from explain.checks.fairness.groups import GroupTests
from explain.checks.fairness.identity_swaps import compare_swaps
from explain.checks.fairness.metrics import (
    ACCURACY_GAP,
    CALIBRATION_GAP,
    FALSE_NEGATIVE_RATE,
    FALSE_POSITIVE_RATE,
    IMPACT_RATIO,
    NAMED_SHARE,
    SELECTION_RATE,
    SWAP_FLIP_RATE,
    TRUE_POSITIVE_RATE,
)
from explain.checks.fairness.name_groups import compare_names
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
        FALSE_NEGATIVE_RATE,
        ACCURACY_GAP,
        CALIBRATION_GAP,
        SWAP_FLIP_RATE,
        NAMED_SHARE,
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
        by_word = [compare_errors(context, mentioned, compared)]
        if single:
            by_word = [
                compare_sentences(context, sets, compared),
                compare_names(context, name_sets(languages), compared, self.favourable),
                *by_word,
            ]
        if self.swaps:
            by_word.append(compare_swaps(context, mentioned, terms, compared, self.swaps))
        words, groups = sum(by_word, Part()), GroupTests.of(context, self.favourable)
        claims = words.claims
        tests = [*claims, *groups.all_tests]
        least = [test.least for test in tests]
        adjusted = adjust_together([test.p for test in tests], least).tolist()
        n_tests = sum(p <= LEVEL for p in least)
        judged = groups.judge(adjusted[len(claims) :], n_tests)
        whole = judged.part + words
        if not (whole.tables or whole.measures or whole.sentence):
            return not_measured(
                self,
                "no text contains a word for people from the list, no column of groups was named, "
                "and neutral sentences are single texts, while the model reads pairs",
            )
        by_claim = distinct_findings(claims, adjusted[: len(claims)])[:MOST_FINDINGS]
        findings = sorted([*by_claim, *judged.findings], key=lambda finding: finding.rank)
        return Section(
            id=self.id,
            title=self.title,
            summary=join_sentences(
                _test_sentence(n_tests, len(findings)),
                _grouping(context, groups),
                whole.sentence,
                _mention_sentence(sum(map(bool, mentioned)), len(context.instances), languages),
            ),
            measures=tuple(whole.measures),
            tables=tuple(whole.tables),
            figures=tuple(whole.figures),
            findings=tuple(findings),
        )


def _mention_sentence(n_naming: int, n: int, languages: Sequence[str]) -> str:
    return Sentence(
        "{naming} of {n} {n:text names|texts name} people by a first name or a word of the list "
        "({languages:and}).",
        naming=n_naming,
        n=n,
        languages=languages,
    )


def _test_sentence(n_tests: int, n_findings: int) -> str:
    if n_tests == 0:
        return "There was no difference between people to test."
    if n_findings == 0:
        return Sentence(
            "We tested {n} {n:difference|differences} between groups of people, names, or words "
            "for people. {n:It is not|None of them is} both statistically significant and large.",
            n=n_tests,
        )
    return Sentence(
        "We tested {n} {n:difference|differences} between groups of people, names, or words for "
        "people. What is both statistically significant and large is reported as {findings} "
        "{findings:finding|findings}.",
        n=n_tests,
        findings=n_findings,
    )


def _grouping(context: AuditContext, groups: GroupTests) -> str:
    if not context.group:
        return "No column of groups was named."
    unanswered = len(context.unanswered)
    together = any(len(own.columns) > 1 for own in groups.partitions)
    failed = Sentence(
        "{unanswered} of {n} {n:row|rows} got no answer; they count in their groups as rows "
        "without a decision.",
        unanswered=unanswered,
        n=unanswered + len(context.instances),
    )
    return join_sentences(
        Sentence(
            "Groups are compared by the {n:column|columns} {columns:and}.",
            n=len(context.group),
            columns=tuple(context.group),
        ),
        "They are also compared by all of these columns together." if together else "",
        failed if unanswered else "",
    )
