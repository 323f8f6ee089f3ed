"""Signatures by ssh-keygen: the key stays with its owner, and anybody can check without this tool.

A signature by hand, and its check (`man ssh-keygen`, "-Y sign"; the format is PROTOCOL.sshsig of
OpenSSH)::

    ssh-keygen -Y sign -n explain-audit -f KEY FILE
    ssh-keygen -Y verify -n explain-audit -f ALLOWED_SIGNERS -I WHO -s FILE.sig < FILE
"""

import base64
import binascii
import re
import shutil
import subprocess
from pathlib import Path

from explain.errors import ConfigurationError, ExplainError

__all__ = ["fingerprint", "is_as_written", "principal", "require_signers", "sign_file"]

NAMESPACE = "explain-audit"
"""What the signatures are for: one made for another purpose does not count here."""

SECONDS = 60
"""Time that a check may take; it takes milliseconds, and a signing may wait for a passphrase."""

LINE = 70
"""Letters of a line of a signature, as ssh-keygen writes it."""

_GOOD = re.compile(r"^Good .* signature .*with \S+ key (SHA256:\S+)", re.MULTILINE)
_ARMOUR = re.compile(rb"-----BEGIN SSH SIGNATURE-----\n(.+)\n-----END SSH SIGNATURE-----\n", re.S)


def sign_file(path: Path, key: Path) -> Path:
    """Sign a file, and return the signature beside it: its name with ``.sig``.

    Parameters
    ----------
    path : Path
        The file; it has no signature yet.
    key : Path
        A private key, or a public one whose private key an agent holds. ssh-keygen asks for a
        passphrase itself.

    Raises
    ------
    ConfigurationError
        If ssh-keygen is missing, or cannot sign with the key.
    """
    if not key.is_file():
        raise ConfigurationError(
            f"the key {str(key)!r} is not a file; pass an SSH key, or make one with "
            "ssh-keygen -t ed25519"
        )
    command = [_program(), "-Y", "sign", "-n", NAMESPACE, "-f", str(key), str(path)]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    signature = path.with_name(f"{path.name}.sig")
    if process.returncode != 0 or not signature.is_file():
        said = " ".join(process.stderr.split()) or "nothing"
        raise ConfigurationError(
            f"ssh-keygen could not sign with {str(key)!r}; it said: {said}; pass a key that "
            "`ssh-keygen -Y sign` takes"
        )
    return signature


def fingerprint(signature: Path, content: bytes) -> str | None:
    """Return the fingerprint of the key that signed the content; None if the signature is not good.

    Whose key it is, this does not tell.
    """
    process = _ssh_keygen_check("check-novalidate", "-s", str(signature), content=content)
    match = _GOOD.search(process.stdout)
    return match[1] if process.returncode == 0 and match else None


def require_signers(allowed_signers: Path) -> None:
    """Raise `ConfigurationError` where there is no file of allowed signers."""
    if not allowed_signers.is_file():
        raise ConfigurationError(
            f"{str(allowed_signers)!r} is not a file; pass allowed signers, one a line: "
            "NAME ssh-ed25519 AAAA…"
        )


def principal(signature: Path, content: bytes, allowed_signers: Path) -> str | None:
    """Return who signed the content, as a file of allowed signers knows them; None if nobody there.

    Raises
    ------
    ConfigurationError
        If ssh-keygen is missing.
    """
    listed = ("-f", str(allowed_signers), "-s", str(signature))
    names = _ssh_keygen_check("find-principals", *listed, content=b"")
    for name in names.stdout.splitlines() if names.returncode == 0 else ():
        if _ssh_keygen_check("verify", "-I", name, *listed, content=content).returncode == 0:
            return name
    return None


def is_as_written(signature: bytes) -> bool:
    """Tell whether a signature is laid out as ssh-keygen does it: no byte of it can be another.

    Base64 is read leniently: without this, a changed line end would not be noticed.
    """
    match = _ARMOUR.fullmatch(signature)
    if match is None:
        return False
    try:
        text = base64.b64encode(base64.b64decode(match[1].replace(b"\n", b""), validate=True))
    except binascii.Error:
        return False
    return match[1] == b"\n".join(text[at : at + LINE] for at in range(0, len(text), LINE))


def _ssh_keygen_check(
    action: str, *options: str, content: bytes
) -> subprocess.CompletedProcess[str]:
    purpose = () if action == "find-principals" else ("-n", NAMESPACE)
    command = [_program(), "-Y", action, *purpose, *options]
    try:
        process = subprocess.run(
            command, input=content, capture_output=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ExplainError(
            f"ssh-keygen did not answer within {SECONDS} s; run `{' '.join(command)}` by hand"
        ) from error
    return subprocess.CompletedProcess(
        command, process.returncode, process.stdout.decode(errors="replace")
    )


def _program() -> str:
    program = shutil.which("ssh-keygen")
    if program is None:
        raise ConfigurationError(
            "signatures need the program ssh-keygen, which is not on the path; install OpenSSH "
            "(Debian: openssh-client)"
        )
    return program
