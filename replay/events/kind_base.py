"""What the payloads of all kinds share: their tag, and the few forms that recur in them."""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["Failure", "ForkOrigin", "JsonText", "Names", "Pairs", "PayloadBase", "Role", "null"]

Role = Literal["answered", "delivered", "noted", "derived"]
Names = tuple[str, ...]
Pairs = tuple[tuple[str, str], ...]
#: Compact JSON text that this house wrote; carried verbatim, so its bytes are the comparison.
JsonText = msgspec.Raw


class PayloadBase(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", forbid_unknown_fields=True
):
    """Base of all payload heads: tagged with the name of the kind."""


def null() -> JsonText:
    """Return the value of what has none; `JsonText | None` cannot be decoded by msgspec."""
    return msgspec.Raw(b"null")


class ForkOrigin(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The run that a fork was made from, and up to where it is the same.

    Attributes:
        run: its id.
        root: hex root over its records.
        position: number of records that both have, the first of which alone differs.
    """

    run: str
    root: str
    position: int


class Failure(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An exception in closed form: class by import path, plain arguments, its chain.

    Attributes:
        type: ``module:qualname`` of the class.
        arguments: JSON list of the plain arguments.
        cause, context: what it was raised from, or during.
    """

    type: str
    arguments: JsonText
    cause: Failure | None = None
    context: Failure | None = None
