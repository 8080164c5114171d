"""In-toto statements v1: which bytes are spoken of, and what is said of them.

The one invariant: a subject is named by the SHA-256 of exact bytes and by nothing else. Our own
statements have one encoding; a statement of somebody else is read as in-toto asks, unknown fields
ignored, and never encoded again.

BLAKE3 stands in predicates only: verifiers in use refuse a subject that names a digest which
in-toto does not list, also where a SHA-256 stands beside it.

Source: https://github.com/in-toto/attestation/tree/main/spec/v1.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Annotated, Final, Literal, get_args

import msgspec

from attestations.errors import StatementError
from attestations.statements.strict_json import check_json

__all__ = ["STATEMENT_TYPE", "Digests", "Sha256", "Statement", "Subject", "read_statement"]

STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
"""The type of all statements here."""

_SUBJECTS_MAX: Final = 1024

#: 64 lower-case hexadecimal digits.
Sha256 = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]
_Type = Literal["https://in-toto.io/Statement/v1"]
assert get_args(_Type) == (STATEMENT_TYPE,)


class Digests(msgspec.Struct, frozen=True, kw_only=True):
    """The digests of a subject; of a foreign one, those of other algorithms are not looked at."""

    sha256: Sha256


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """What is spoken of.

    Attributes:
        digest: of its exact bytes.
        name: what whoever signed calls it; for a checkpoint its origin.
    """

    digest: Digests
    name: str = ""

    @classmethod
    def of(cls, name: str, data: bytes) -> Subject:
        """Name bytes."""
        return cls(name=name, digest=Digests(sha256=sha256(data).hexdigest()))


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of some subjects.

    Attributes:
        type_: always :data:`STATEMENT_TYPE`.
        predicate: the JSON of what is said, as it stood.
        predicate_type: URI of its schema.
        subject: at least one.
    """

    type_: _Type = msgspec.field(name="_type", default=STATEMENT_TYPE)
    predicate: msgspec.Raw
    predicate_type: Annotated[str, msgspec.Meta(min_length=1, max_length=512)] = msgspec.field(
        name="predicateType"
    )
    subject: Annotated[tuple[Subject, ...], msgspec.Meta(min_length=1, max_length=_SUBJECTS_MAX)]

    def encode(self) -> bytes:
        """Return the bytes that are signed; the predicate's are as they were given."""
        return msgspec.json.encode(self)


_DECODER: Final = msgspec.json.Decoder(Statement)


def read_statement(payload: bytes) -> Statement:
    """Read a payload that was verified.

    Raises:
        StatementError: it is no statement v1 with SHA-256 subjects, or is ambiguous.
    """
    try:
        check_json(payload)
        statement = _DECODER.decode(payload)
    except (ValueError, msgspec.MsgspecError, RecursionError) as error:
        raise StatementError(f"no in-toto statement: {error}") from None
    if not bytes(statement.predicate).startswith(b"{"):
        raise StatementError("the predicate is no object")
    return statement
