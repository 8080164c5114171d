"""The one place where sigstore is loaded, and where its errors become ours.

sigstore raises errors of four libraries, some of which are not its own (pydantic's, and plain
`ValueError`). A verifier that fails in an unforeseen way has not verified: everything that is
raised in here is a refusal.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from attestations.errors import AttestationError, KeylessError, NotInstalledError

__all__ = ["EXTRA", "one_line", "refusing", "require_sigstore"]

EXTRA: Final = "ritornello[sigstore]"
"""What to install for signatures without keys."""

_MESSAGE_SIZE_MAX: Final = 300


def require_sigstore() -> None:
    """Say clearly that sigstore is not there, before anything is done.

    Raises:
        NotInstalledError: it is not installed.
    """
    try:
        import sigstore  # noqa: F401
    except ImportError as error:
        raise NotInstalledError(
            "signatures without keys need sigstore, which is not installed",
            where=str(error.name or "sigstore"),
            hint=f"pip install '{EXTRA}'",
        ) from None


@contextmanager
def refusing(
    what: str, *, where: str = "", hint: str = "", kind: type[KeylessError] = KeylessError
) -> Iterator[None]:
    """Turn whatever a foreign library raises into a refusal that says what was refused.

    Args:
        what: the beginning of the message, such as "the bundle does not hold".
        where: the file, if known.
        hint: what to try.
        kind: the error that is raised.

    Raises:
        KeylessError: the block raised anything but an error of ours.
    """
    try:
        yield
    except AttestationError:
        raise
    except Exception as error:
        raise kind(f"{what}: {one_line(error)}", where=where, hint=hint) from error


def one_line(error: BaseException) -> str:
    """Return an error's text bounded and printable: parts of it come from hostile bytes."""
    text = " ".join(str(error).split()) or type(error).__name__
    shown = "".join(each if each.isprintable() else "?" for each in text)
    return shown if len(shown) <= _MESSAGE_SIZE_MAX else shown[:_MESSAGE_SIZE_MAX] + "..."
