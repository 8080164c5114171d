"""What can go wrong with evidence, as one small tree.

::

    AttestationError            root of every error this package raises
    ├── KeyFormError            a key, or its text form, is not one; nothing was signed or checked
    │   └── KeyFileError        a key's file cannot be read, made or used as what was asked for
    ├── EnvelopeError           bytes are no DSSE envelope in its strict form
    ├── StatementError          a payload is no statement, or says what contradicts itself
    ├── TrustFileError          the file of trusted keys cannot be read, or is not of its form
    ├── LayoutError             a release chain's layout or its links are refused
    ├── KeylessError            a Sigstore bundle, root or identity is malformed, or does not hold
    │   └── KeylessServiceError  the services of a Sigstore gave no signature
    ├── NotInstalledError       an optional part is asked for that is not installed
    ├── NoteError               a signed note or cosignature is malformed, or does not hold
    ├── StateError              the heads this verifier keeps cannot be read, locked or written
    ├── TimeStampError          a time stamp is malformed, for other bytes, or of no trusted root
    │   └── TimeStampServiceError  the time stamping service gave no time stamp
    ├── WitnessServiceError     a witness could not be reached, refused, or gave no cosignature
    ├── WitnessConflictError    a witness has cosigned another version of this log
    ├── PolicyError             a policy, its pin or the facts for it are no such thing
    │   └── AdmissionError      an artifact may not run; nothing of it did
    └── RequirementError        what is to hold is asked for in words this package does not know

Each class has a stable `code`; callers branch on the class or the code, never on the text.
Verdicts, findings and refusals by policy are values, not exceptions.
"""

from typing import ClassVar

__all__ = [
    "AdmissionError",
    "AttestationError",
    "EnvelopeError",
    "KeyFileError",
    "KeyFormError",
    "KeylessError",
    "KeylessServiceError",
    "LayoutError",
    "NotInstalledError",
    "NoteError",
    "PolicyError",
    "RequirementError",
    "StateError",
    "StatementError",
    "TimeStampError",
    "TimeStampServiceError",
    "TrustFileError",
    "WitnessConflictError",
    "WitnessServiceError",
]


class AttestationError(Exception):
    """The root of all errors raised about evidence.

    Args:
        message: What happened, without a full stop.
        where: The file, note, envelope, key or member, if known; empty otherwise.
        hint: What to try next; empty if nothing useful can be said.
    """

    code: ClassVar[str] = "attestation"

    def __init__(self, message: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint

    def diagnostics(self) -> str:
        """Says what happened, where, and what to try: one line each, without a final newline."""
        lines = [f"{self.code}: {self.message}"]
        if self.where:
            lines.append(f"  where: {self.where}")
        if self.hint:
            lines.append(f"  try: {self.hint}")
        return "\n".join(lines)


class KeyFormError(AttestationError):
    """A key is of another algorithm, length or text form than what is read here."""

    code = "key-form"


class KeyFileError(KeyFormError):
    """A key's file is missing, open to others, in the wrong place, or a key for another use."""

    code = "key-file"


class EnvelopeError(AttestationError):
    """Bytes are no DSSE envelope in the one form that is accepted; nothing in them was parsed."""

    code = "envelope"


class StatementError(AttestationError):
    """A verified payload is no in-toto statement, or its predicate contradicts itself."""

    code = "statement"


class TrustFileError(AttestationError):
    """The file of trusted keys cannot be read, or is not of its form; nobody is trusted by it."""

    code = "trust-file"


class LayoutError(AttestationError):
    """A layout holds what is never accepted, or its links do not carry it out."""

    code = "layout"


class NoteError(AttestationError):
    """A signed note or cosignature is malformed, or a known key's signature does not hold."""

    code = "note"


class StateError(AttestationError):
    """What is kept of earlier heads cannot be read, locked or written; a pin or receipt is none."""

    code = "verifier-state"


class TimeStampError(AttestationError):
    """A time stamp is malformed, over other bytes, or leads to no trusted root."""

    code = "time-stamp"


class TimeStampServiceError(TimeStampError):
    """The time stamping service could not be reached or gave no time stamp."""

    code = "time-stamp-service"


class WitnessServiceError(AttestationError):
    """A witness could not be reached, refused, or gave no cosignature that holds."""

    code = "witness-service"


class WitnessConflictError(AttestationError):
    """A witness has cosigned a head of this log that cannot be true beside the one at hand."""

    code = "witness-conflict"


class RequirementError(AttestationError):
    """A requirement names a verdict or a value that there is not."""

    code = "requirement"


class PolicyError(AttestationError):
    """A policy file, the pin of one, or facts for it are malformed or contradict themselves."""

    code = "policy"


class AdmissionError(PolicyError):
    """An artifact may not run, by a policy or because it was altered; nothing of it ran."""

    code = "admission"


class KeylessError(AttestationError):
    """A Sigstore bundle, trusted root, token or identity is malformed, or does not hold."""

    code = "keyless"


class KeylessServiceError(KeylessError):
    """A certificate, log or time stamp was asked for and not given; nothing was written."""

    code = "keyless-service"


class NotInstalledError(AttestationError):
    """An optional part of the distribution is needed and not installed."""

    code = "not-installed"
