"""Whether a way of writing, such as the format of a date, settles a label."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from explain.checks.base import LEVEL
from explain.checks.base.intervention import Edit, Intervention, intervene
from explain.checks.base.section_part import Part
from explain.checks.shortcuts.metrics import STYLE
from explain.checks.shortcuts.search import ShortcutSearch, increase_p_value
from explain.checks.shortcuts.spurious_findings import SECTION, lower_end
from explain.checks.shortcuts.styles import Style, styles_of
from explain.record import Finding, Measure, Sentence, Table
from explain.statistics.adjustments import benjamini_hochberg
from explain.statistics.comparisons import fisher
from explain.statistics.intervals import proportion
from explain.text.spans import text_of

__all__ = ["find_style_shortcuts"]

FEWEST = 5
"""Texts that must be written so, and otherwise, for a style to be looked at."""

MOST_TRIED = 4
"""Styles in which other texts are rewritten, those first that predict a label best."""

SMALLEST_FLIPS = 0.25
"""Share of the rewritten texts whose answer must become the label, with the whole interval above
it. A way of writing says nothing of the content; a transformer trained on SST-2 changes fewer than
a tenth of its answers by any of them."""

MOST_EVIDENCE = 5

NO_STYLE: Final = (
    "No way of writing (marks, capitals, emoji, numbers, dates) predicts an answer, of {n} tried."
)
STYLES: Final = (
    "{n} {n:way|ways} of writing (marks, capitals, emoji, numbers, dates) {n:predicts|predict} an "
    "answer; rewriting other texts like that changes the answer in {found} of them."
)


def find_style_shortcuts(search: ShortcutSearch) -> Part:
    """Return the ways of writing that predict a label, and those that bring it to other texts."""
    texts = ["\n\n".join(instance.parts) for instance in search.context.instances]
    styles = [*styles_of(texts)]
    holds = np.array([[style.holds(text) for text in texts] for style in styles], dtype=bool)
    related = _related(search, holds)[:MOST_TRIED]
    edits = {
        str(k): _edits(search, styles[s], holds[s], label) for k, (s, label) in enumerate(related)
    }
    edited = intervene(search.context, edits)
    p_values = benjamini_hochberg(
        [increase_p_value(edited[str(k)].changes(label)) for k, (_, label) in enumerate(related)]
    )
    measures, findings = [], []
    rows: list[tuple[str | Measure | int | float, ...]] = []
    for k, (s, label) in enumerate(related):
        share = _share(search, edited[str(k)], styles[s], label)
        measures.append(share)
        name = search.context.model.labels[label]
        rows.append((styles[s].name, name, int(holds[s].sum()), share, float(p_values[k])))
        if p_values[k] <= LEVEL and lower_end(share) > SMALLEST_FLIPS:
            findings.append(_finding(search, styles[s], holds[s], label, edited[str(k)]))
    table = Table(
        title="Ways of writing that predict a label",
        columns=("what a text has", "label", "texts with it", "rewritten: changed to the label",
                 "adjusted p"),
        rows=tuple(rows),
        note="Texts with another answer were rewritten like this, and nothing else was changed.",
    )  # fmt: skip
    summary = Sentence(STYLES, n=len(related), found=len(findings))
    nothing = Sentence(NO_STYLE, n=len(styles))
    return Part(
        measures, [table], findings, sentence=summary if related else nothing, n_tried=len(related)
    )


def _related(search: ShortcutSearch, holds: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return the styles and the labels that they predict, the most significant first."""
    n_with, n = holds.sum(axis=1), holds.shape[1]
    hits = holds.astype(int) @ search.predicted.astype(int)
    p = fisher(hits, n_with[:, None], search.predicted.sum(axis=0), n)
    p[(n_with < FEWEST) | (n - n_with < FEWEST)] = np.nan
    adjusted = benjamini_hochberg(p.ravel()).reshape(p.shape)
    pairs = [(int(s), int(label)) for s, label in np.argwhere(adjusted <= LEVEL)]
    return sorted(pairs, key=lambda pair: (adjusted[pair], pair))


def _edits(
    search: ShortcutSearch, style: Style, holds: NDArray[np.bool_], label: int
) -> list[Edit]:
    rows = search.other_texts(label, np.flatnonzero(holds))
    return [
        (row, text_of([*parts[:-1], style.rewrite(parts[-1], search.rng)]))
        for row in search.draw(rows, search.texts)
        for parts in [search.instance(row).parts]
    ]


def _share(search: ShortcutSearch, edited: Intervention, style: Style, label: int) -> Measure:
    changed = search.predicted_after(edited, label)
    name = STYLE.name(label=search.context.model.labels[label], style=style.name)
    return proportion(name, int(changed.sum()), len(changed))


def _finding(
    search: ShortcutSearch,
    style: Style,
    holds: NDArray[np.bool_],
    label: int,
    edited: Intervention,
) -> Finding:
    share, name = _share(search, edited, style, label), search.context.model.labels[label]
    changed = search.predicted_after(edited, label)
    predicted = search.predicted[holds, label]
    return Finding(
        code="shortcuts.style",
        subject=f"{style.name}: {name}",
        claim=Sentence(
            "A way of writing decides: texts with {style} become {label:quoted}. The model "
            "classifies {predicted:percent} of the {n} texts with it as {label:quoted}. We rewrote "
            "{share.n} random {share.n:text|texts} with another answer like this, and changed "
            "nothing else; {changed} of them ({share}) were then classified as {label:quoted}.",
            style=style.name,
            label=name,
            predicted=float(predicted.mean()),
            n=len(predicted),
            share=share,
            changed=int(changed.sum()),
        ),
        severity="major",
        size=share.distance_from(0),
        measure=share,
        evidence=(
            SECTION,
            *(search.instance(row).id for row in edited.instances[changed][:MOST_EVIDENCE]),
        ),
        suggestion="Write all training texts in one way, or balance the ways over the labels, and "
        "train again. Until then, rewrite texts in one way before the model reads them.",
    ).about(search.instance(row).id for row in np.flatnonzero(holds).tolist())
