"""Where a policy is pinned: in words that name a file and the digest of its bytes.

The one invariant: a policy that decides is exactly the bytes that somebody named beforehand, in the
user's own configuration, in the environment, or on the command line. A file in the program's
directory can name no pin.
"""

from __future__ import annotations

import re
import tomllib
from hashlib import sha256
from typing import Annotated, Final, Literal

import msgspec

from attestations.admission.facts import Digest
from attestations.admission.layers import Layer, LayerSource
from attestations.admission.policy_file import read_policy
from attestations.errors import AdmissionError, PolicyError

__all__ = [
    "PINS_SCHEMA",
    "PINS_SIZE_MAX",
    "Pins",
    "PolicyPin",
    "layer_of",
    "read_pin",
    "read_pins",
]

PINS_SCHEMA: Final = "ritornello/pins/1"
#: Bytes of a file of pins.
PINS_SIZE_MAX: Final = 64 << 10
_PIN: Final = re.compile(r"(?P<file>.+)@sha256:(?P<digest>[0-9a-f]{64})", re.DOTALL)


_File = Annotated[str, msgspec.Meta(max_length=4096, pattern=r"\A[^\x00]+\Z")]
_Key = Annotated[str, msgspec.Meta(max_length=1024, pattern=r"\A[!-~]+\Z")]


class PolicyPin(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One policy by its file and digest.

    Attributes:
        file: path of the file.
        sha256: hex digest of its bytes.
    """

    file: _File
    sha256: Digest


class Pins(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The user's file of pins.

    Attributes:
        schema: what the file is.
        policies: those that hold here.
        heads: files with heads of logs that the user keeps, so that what stood in a log then is
            known to be from then.
        witnesses: keys of witnesses, as text, who may have cosigned the head of a log.
        witnesses_needed: how many of them have to have; all, if not given.
        workspaces: directories of the user's own workspaces; if not given, each is believed that
            says that it recorded its runs.
    """

    schema: Literal["ritornello/pins/1"]
    policies: Annotated[tuple[PolicyPin, ...], msgspec.Meta(max_length=16)] = ()
    heads: Annotated[tuple[_File, ...], msgspec.Meta(max_length=64)] = ()
    witnesses: Annotated[tuple[_Key, ...], msgspec.Meta(max_length=64)] = ()
    witnesses_needed: int | None = None
    workspaces: Annotated[tuple[_File, ...], msgspec.Meta(max_length=256)] | None = None


def read_pin(text: str, where: str = "") -> PolicyPin:
    """Read ``FILE@sha256:HEX``.

    Raises:
        PolicyError: it names no digest.
    """
    found = _PIN.fullmatch(text)
    if found is None:
        raise PolicyError(
            "a policy is pinned by its digest",
            where=where or text[:200],
            hint="FILE@sha256:HEX, which `ritornello policy explain FILE` prints",
        )
    return PolicyPin(file=found["file"], sha256=found["digest"])


def read_pins(data: bytes, where: str = "") -> Pins:
    """Read the user's file of pins.

    Raises:
        PolicyError: it is none.
    """
    if len(data) > PINS_SIZE_MAX:
        raise PolicyError("the file of pins is over the limit", where=where)
    try:
        return msgspec.convert(tomllib.loads(data.decode("utf-8")), Pins)
    except RecursionError:
        raise PolicyError("the file is nested too deeply", where=where) from None
    except ValueError as error:  # msgspec's and TOML's own errors are such
        raise PolicyError(f"the file holds no pins: {error}", where=where) from None


def layer_of(data: bytes, *, where: str, source: LayerSource, pinned: str | None = None) -> Layer:
    """Return a policy file as a layer.

    Args:
        data: its bytes.
        where: its name.
        source: who brought it.
        pinned: the digest that it must have.

    Raises:
        AdmissionError: it is not the file that was pinned.
        PolicyError: it is no policy.
    """
    digest = sha256(data).hexdigest()
    if pinned is not None and digest != pinned:
        raise AdmissionError(
            f"the policy is not the one that was pinned: it has sha256 {digest}",
            where=where,
            hint="restore it, or read the new one and pin its digest",
        )
    return Layer(policy=read_policy(data, where), digest=digest, source=source, where=where)
