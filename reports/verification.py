"""What an import of reviews and a verification found, as lines for a terminal."""

from collections.abc import Iterator

from explain.record import CheckedSignature, Verification
from reports.languages import translate as _
from reports.languages import translated_sentence
from reports.text import visible

__all__ = ["imported_line", "verification_lines"]


def imported_line(lines: int, reviewers: int) -> str:
    """Return how many reviews an audit now holds."""
    return _(
        "{n} {n:review|reviews} by {reviewers} {reviewers:reviewer|reviewers}",
        n=lines,
        reviewers=reviewers,
    )


def verification_lines(verification: Verification) -> Iterator[str]:
    """Yield the answer, then each problem, each signature, and what no check covers."""
    if verification.ok:
        yield f"✓ {_('all {n} files are as the manifest says', n=verification.files)}"
    else:
        yield f"✗ {_('{n} {n:problem|problems}', n=len(verification.problems))}"
    for problem in verification.problems:
        yield visible(f"✗ {problem.file} {translated_sentence(problem.problem)}")
    for signature in verification.signatures:
        yield from map(visible, _signature(signature))
    if not verification.signatures:
        yield f"○ {_('nobody has signed the files as they are now')}"
    for name in verification.unprotected:
        yield f"○ {_('{name} is not checked: later runs write to it', name=name)}"
    yield f"manifest.json sha256 {verification.manifest_sha256 or _('unknown')}"


def _signature(signature: CheckedSignature) -> Iterator[str]:
    by = signature.sign_off
    signed = _(
        "{name} ({role}) signed on {day}: {verdict}",
        name=by.name,
        role=by.role,
        day=f"{by.signed_at:%Y-%m-%d}",
        verdict=_(by.verdict.replace("_", " ")),
    )
    yield f"✓ {signed}"
    yield from (f"  {_('condition: {condition}', condition=each)}" for each in by.conditions)
    template = (
        "key {key} of {owner}, by the file of allowed signers"
        if signature.principal
        else "key {key}, whose owner was not checked; pass --allowed-signers"
    )
    yield f"  {_(template, key=signature.fingerprint, owner=signature.principal or '')}"
