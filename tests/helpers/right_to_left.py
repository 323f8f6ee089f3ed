"""An audit of texts that are written from right to left, in a report that is not."""

from typing import Final

from explain.record import AuditRecord, Finding, InstanceRecord, Section, Sentence, Table
from tests.helpers.records import attribution, audit_record

__all__ = ["ARABIC", "HEBREW", "LABELS", "left_edges", "right_to_left_record"]

ARABIC: Final = "الهاتف مدهش في القاهرة (مصر) وثمنه 250 دولارا"
HEBREW: Final = "הסרט נהדר, כפי שכתב IMDb ב-2023"
LABELS: Final = ("سلبي", "إيجابي")

left_edges = """([within, texts]) => {
  const edges = [];
  for (const element of document.querySelectorAll(within)) {
    if (!element.getClientRects().length) continue;
    const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
    const nodes = [];
    while (walker.nextNode()) nodes.push(walker.currentNode);
    const whole = nodes.map((node) => node.data).join("");
    let from = 0;
    edges.push(texts.map((text) => {
      const start = whole.indexOf(text, from);
      if (start < 0) return null;
      from = start + text.length;
      const range = document.createRange();
      let place = 0;
      for (const node of nodes) {
        const end = place + node.data.length;
        if (place <= start && start < end) range.setStart(node, start - place);
        if (place < from && from <= end) range.setEnd(node, from - place);
        place = end;
      }
      return range.getBoundingClientRect().left;
    }));
  }
  return edges;
}"""
"""Where on the screen some texts begin that follow each other in an element: a row for each."""


def _instance(row: int, text: str, language: str, *, label: int) -> InstanceRecord:
    methods = (
        attribution(text, label=LABELS[1], grade="B", errors=(0.1,) * _n_words(text)),
        attribution(text, label=LABELS[1], method="lime"),
    )
    return InstanceRecord(
        id=f"r{row}",
        row=row,
        parts=(text,),
        labels=(LABELS[label],),
        predicted=LABELS[1],
        probability=0.864,
        scores=(-0.9, 0.9),
        columns={"اللغة": language},
        stratum="random",
        attributions=methods,
    )


def _n_words(text: str) -> int:
    return len(attribution(text).values)


def right_to_left_record() -> AuditRecord:
    """Return an audit of an Arabic and a Hebrew text, with Arabic labels and column."""
    record = audit_record()
    finding = Finding(
        code="shortcuts.words",
        claim=Sentence(
            "Adding {words:quoted-or} changes the answer to {label}: {n} texts of {all}, "
            "by {column}.",
            words=["مدهش", "נהדר מאוד", "IMDb של הסרט"],
            label=LABELS[1],
            n=38,
            all=42,
            column="اللغة",
        ),
        severity="major",
        size=0.5,
        measure=None,
        evidence=("performance", "r1"),
        suggestion="Remove these words.",
    )
    table = Table(title="By label", columns=("label", "text", "rows"), rows=((*LABELS, 3),))
    section = Section(
        id="performance",
        title="Performance",
        summary="2 rows.",
        findings=(finding,),
        tables=(table,),
    )
    model = record.provenance.model.model_copy(update={"labels": LABELS})
    return record.model_copy(
        update={
            "sections": (section,),
            "criteria": (),
            "provenance": record.provenance.model_copy(update={"model": model}),
            "instances": (
                _instance(1, ARABIC, "العربية", label=1),
                _instance(2, HEBREW, "עברית", label=0),
            ),
        }
    )
