"""What the verification of an audit found, as lines for a terminal."""

from collections.abc import Iterator

from explain.record import CheckedSignature, Verification
from reports.numbers import count
from reports.text import visible

__all__ = ["verification_lines"]


def verification_lines(verification: Verification) -> Iterator[str]:
    """Yield the answer, then each problem, each signature, and what no check covers."""
    n = len(verification.problems)
    if verification.ok:
        yield f"✓ all {count(verification.files)} files are as the manifest says"
    else:
        yield f"✗ {count(n)} {'problem' if n == 1 else 'problems'}"
    for problem in verification.problems:
        yield visible(f"✗ {problem.file} {problem.problem}")
    for signature in verification.signatures:
        yield from map(visible, _signature(signature))
    if not verification.signatures:
        yield "○ nobody has signed the files as they are now"
    for name in verification.unprotected:
        yield f"○ {name} is not checked: later runs write to it"
    yield f"manifest.json sha256 {verification.manifest_sha256 or 'unknown'}"


def _signature(signature: CheckedSignature) -> Iterator[str]:
    by = signature.sign_off
    verdict = by.verdict.replace("_", " ")
    yield f"✓ {by.name} ({by.role}) signed on {by.signed_at:%Y-%m-%d}: {verdict}"
    yield from (f"  condition: {condition}" for condition in by.conditions)
    owner = (
        f"of {signature.principal}, by the file of allowed signers"
        if signature.principal
        else "whose owner was not checked; pass --allowed-signers"
    )
    yield f"  key {signature.fingerprint}, {owner}"
