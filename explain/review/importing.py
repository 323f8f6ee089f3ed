"""Reviews come back to the audit that they are of."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from explain.auditing.archive import read_log, read_record
from explain.errors import ConfigurationError, DataError, RecordError, nearest
from explain.record import AuditRecord, ReviewLine, Section, Sentence, text_sha256
from explain.record.files import hash_file, plain_bytes
from explain.record.own_reports import require_own_reports
from explain.record.run_folders import MANIFEST, REVIEWS, RunFolder, claimed, listed_hashes
from explain.review.manifest import file_problems
from explain.review.section import reviews_section
from explain.text.redaction import redacted_record

__all__ = [
    "ImportedReviews",
    "RefusedLine",
    "import_reviews",
    "review_problem",
    "reviews_problem",
]

REVIEWED = "reviewed"
"""Name of the record and the page with the reviews. The page of the audit stays without them: a
second reviewer must not see what the first one says."""

MOST_BYTES = 100 * 2**20
"""Size of a file of reviews; 100,000 long notes are less."""


@dataclass(frozen=True, slots=True)
class RefusedLine:
    """A line that does not count, and why."""

    file: str
    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class ImportedReviews:
    """What an import did.

    Attributes
    ----------
    page : Path
        The report with the section of reviews.
    lines : tuple of ReviewLine
        All reviews that the folder now holds.
    refused : tuple of RefusedLine
        Lines that do not count.
    """

    page: Path
    lines: tuple[ReviewLine, ...]
    refused: tuple[RefusedLine, ...]


def import_reviews(
    folder: Path, files: Sequence[Path], language: Literal["en", "zh"] = "en"
) -> ImportedReviews:
    """Merge reviews into the folder of an audit, and render its report with them.

    What a reviewer said last of an instance counts. A line of another report or text, or of an
    instance that the record lacks, is refused, and the others are merged. The manifest is written
    again, so that it covers the reviews: a sign-off of before has to be signed again. The language
    is that of the report with the reviews.

    Raises
    ------
    ConfigurationError
        If the folder holds no audit, or another run writes to it.
    DataError
        If a file cannot be read, or no line of any is good.
    RecordError
        If the files of the folder do not fit its manifest.
    """
    if not (folder / MANIFEST).is_file():
        raise ConfigurationError(
            f"{str(folder)!r} has no {MANIFEST}; pass the folder that `explain audit` wrote"
        )
    with claimed(folder) as out:
        if problems := file_problems(folder):
            raise RecordError(
                f"reviews cannot be added to {str(folder)!r}: {problems[0].file} "
                f"{problems[0].problem}; `explain verify` lists all"
            )
        record = read_record(folder / "audit.json")
        report_sha256 = hash_file(folder / "audit.json", folder).sha256
        good: list[ReviewLine] = []
        refused: list[RefusedLine] = []
        earlier = [folder / REVIEWS] if (folder / REVIEWS).exists() else []
        for path in [*earlier, *files]:
            for number, content in enumerate(_lines(path), start=1):
                line = _read_line(content)
                problem = line if isinstance(line, str) else None
                if isinstance(line, ReviewLine):
                    problem = review_problem(line, record, report_sha256)
                    if problem is None:
                        good.append(redacted_record(line)[0])
                if problem is not None:
                    refused.append(RefusedLine(str(path), number, problem))
        if not good:
            reason = f"; the first: {refused[0].reason}" if refused else ""
            raise DataError(f"no line is a review of this report, of {len(refused)} read{reason}")
        merged = _last_of_each(good)
        page = _write(out, record, merged, language)
    return ImportedReviews(page, merged, tuple(refused))


def reviews_problem(folder: Path) -> str | None:
    """Return what is wrong with the reviews of a folder that fits its manifest; None if nothing."""
    if not (folder / REVIEWS).exists():
        return None
    record = read_record(folder / "audit.json")
    report_sha256 = hash_file(folder / "audit.json", folder).sha256
    for number, content in enumerate(_lines(folder / REVIEWS), start=1):
        line = _read_line(content)
        problem = line if isinstance(line, str) else review_problem(line, record, report_sha256)
        if problem is not None:
            return Sentence("is wrong in line {number}: {problem}", number=number, problem=problem)
    return None


def review_problem(line: ReviewLine, record: AuditRecord, report_sha256: str) -> str | None:
    """Return why a line is no review of this report; None if it is one."""
    instance = next((each for each in record.instances if each.id == line.instance), None)
    if line.report_sha256 != report_sha256:
        return (
            f"it reviews the report {line.report_sha256[:12]}…, and this one is "
            f"{report_sha256[:12]}…"
        )
    if instance is None:
        return f"the record has no instance {line.instance!r}"
    if line.text_sha256 != text_sha256(instance.parts):
        return f"it is of another text than that of instance {line.instance!r}"
    labels = record.provenance.model.labels
    if line.label is not None and line.label not in labels:
        return f"the label {line.label!r} is none of the model; {nearest(line.label, labels)}"
    return None


def _lines(path: Path) -> list[bytes]:
    try:
        return [line for line in plain_bytes(path, MOST_BYTES).splitlines() if line.strip()]
    except OSError as error:
        raise DataError(
            f"{str(path)!r} cannot be read: {error.strerror}; pass the reviews.jsonl that the page "
            "of an audit saved"
        ) from error


def _read_line(content: bytes) -> ReviewLine | str:
    """Return a line, or why it is none."""
    try:
        return ReviewLine.from_json(content)
    except RecordError as error:
        cause = str(error).removeprefix("not a record of explain-audit: ").partition(" (")[0]
        return f"it is not a line of reviews.jsonl: {cause}"


def _last_of_each(lines: Iterable[ReviewLine]) -> tuple[ReviewLine, ...]:
    last: dict[tuple[str, str], ReviewLine] = {}
    for line in sorted(lines, key=lambda line: line.at):
        last[line.reviewer, line.instance] = line
    return tuple(last[key] for key in sorted(last))


def _write(
    out: RunFolder,
    record: AuditRecord,
    lines: Sequence[ReviewLine],
    language: Literal["en", "zh"],
) -> Path:
    require_own_reports()
    import reports

    reviewed = with_section(record, reviews_section(record, lines))
    contents = {
        REVIEWS: "".join(line.to_json() + "\n" for line in lines),
        f"{REVIEWED}.json": reviewed.to_json(),
        f"{REVIEWED}.html": reports.render_html(reviewed, read_log(out.path), language=language),
    }
    others: Mapping[str, str] = listed_hashes(out.path) or {}
    out.swap_in(contents, {name: sha for name, sha in others.items() if name not in contents})
    return out.path / f"{REVIEWED}.html"


def with_section(record: AuditRecord, section: Section) -> AuditRecord:
    """Return a record with one more section."""
    return record.model_copy(update={"sections": (*record.sections, section)})
