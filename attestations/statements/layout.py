"""Release chains as in-toto layouts: the closed form that is accepted, and what is wrong with one.

The one invariant: a layout that passes runs nothing on the verifier's machine and leaves no
artifact unspoken of. Inspections are commands, so none is accepted; what a step's rules do not name
is refused by their last rule; and a threshold counts keys, not names of keys.

What is refused here an in-toto verifier accepts: inspections (it runs them), a catch-all `ALLOW`
behind a `MATCH` (a tampered product passes), an artifact that nothing requires (an absent one
passes), one key under two names (it meets a threshold of two).

Source: https://github.com/in-toto/specification/blob/v1.0/in-toto-spec.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Final, Literal

import msgspec

from attestations.errors import KeyFormError, LayoutError
from attestations.keys.public import PublicKey, read_public_pem
from attestations.statements.strict_json import check_json

__all__ = ["Layout", "LayoutKey", "Step", "lint_layout", "public_key", "read_layout"]

STEPS_MAX: Final = 16
KEYS_MAX: Final = 64

_Keyid = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{16,64}\Z")]
_Rule = Annotated[tuple[str, ...], msgspec.Meta(min_length=2, max_length=10)]
_Rules = Annotated[tuple[_Rule, ...], msgspec.Meta(max_length=64)]
_Name = Annotated[str, msgspec.Meta(pattern=r"\A[a-z][a-z0-9-]{0,40}\Z")]
_LAST: Final = ("DISALLOW", "*")
_RULES: Final = frozenset({"ALLOW", "CREATE", "DELETE", "DISALLOW", "MATCH", "MODIFY", "REQUIRE"})
#: DER of an Ed25519 SubjectPublicKeyInfo up to its 32 bytes (RFC 8410).
_ED25519_START: Final = bytes.fromhex("302a300506032b6570032100")


class _Closed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of the parts: what is not known here is refused, so no sub-key or certificate is."""


class LayoutKey(_Closed, frozen=True, kw_only=True):
    """A key as in-toto spells it: hex for Ed25519, PEM for ECDSA."""

    keyid: _Keyid
    keytype: Literal["ed25519", "ecdsa"]
    keyval: dict[Literal["public"], str]
    scheme: Literal["ed25519", "ecdsa-sha2-nistp256"]


class Step(_Closed, frozen=True, kw_only=True):
    """One step, and who may have done it."""

    type_: Literal["step"] = msgspec.field(name="_type")
    expected_command: tuple[str, ...] = ()
    expected_materials: _Rules
    expected_products: _Rules
    name: _Name
    pubkeys: Annotated[tuple[_Keyid, ...], msgspec.Meta(min_length=1, max_length=KEYS_MAX)]
    threshold: Annotated[int, msgspec.Meta(ge=1, le=KEYS_MAX)]


class Layout(_Closed, frozen=True, kw_only=True):
    """A release chain: its steps in order."""

    type_: Literal["layout"] = msgspec.field(name="_type")
    expires: Annotated[str, msgspec.Meta(pattern=r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\Z")]
    inspect: tuple[msgspec.Raw, ...] = ()
    keys: dict[str, LayoutKey]
    readme: str = ""
    steps: Annotated[tuple[Step, ...], msgspec.Meta(min_length=1, max_length=STEPS_MAX)]


def read_layout(payload: bytes) -> Layout:
    """Read a verified payload as a layout, once nothing in it is refused.

    Raises:
        LayoutError: it is not of the closed form, or :func:`lint_layout` finds something.
    """
    try:
        check_json(payload)
        layout = msgspec.json.decode(payload, type=Layout)
    except (ValueError, msgspec.MsgspecError, RecursionError) as error:
        raise LayoutError(f"no layout: {error}") from None
    findings = lint_layout(layout)
    if findings:
        more = f", and {len(findings) - 1} more" if len(findings) > 1 else ""
        raise LayoutError(
            findings[0] + more, hint="have the layout's owner correct and sign it again"
        )
    return layout


def lint_layout(layout: Layout) -> tuple[str, ...]:
    """Return what is wrong with a layout, in order; each names the step."""
    return tuple(_findings(layout))


def public_key(key: LayoutKey) -> PublicKey:
    """Return a layout's key as one of ours.

    Raises:
        KeyFormError: the bytes are no such key.
    """
    text = key.keyval.get("public", "")
    if key.keytype == "ed25519":
        try:
            return PublicKey.from_spki(_ED25519_START + bytes.fromhex(text))
        except ValueError as error:
            raise KeyFormError("a key is not hexadecimal", where=key.keyid) from error
    return read_public_pem(text.encode("ascii", "replace"), key.keyid)


def _findings(layout: Layout) -> Iterator[str]:
    try:
        datetime.fromisoformat(layout.expires)
    except ValueError:
        yield f"the layout runs out at no time: {layout.expires}"
    if layout.inspect:
        yield "the layout has inspections: commands that would run on this machine"
    if len(layout.keys) > KEYS_MAX:
        yield f"the layout has more than {KEYS_MAX} keys"
        return
    spki: dict[str, str] = {}
    for keyid, key in layout.keys.items():
        if keyid != key.keyid or (key.keytype == "ed25519") != (key.scheme == "ed25519"):
            yield f"key {keyid[:16]}: it stands under another name, or its scheme is another"
        try:
            spki[keyid] = public_key(key).keyid
        except KeyFormError as error:
            yield f"key {keyid[:16]}: {error.message}"
    if len(set(spki.values())) < len(spki):
        yield "one key stands under two names"
    if len({keyid[:8] for keyid in spki}) < len(spki):
        yield "two keys have names that begin alike, so their links have one name"
    seen: list[str] = []
    for step in layout.steps:
        if step.name in seen:
            yield f"step {step.name}: another one has that name"
        yield from (f"step {step.name}: {what}" for what in _in_step(step, spki, seen))
        seen.append(step.name)


def _in_step(step: Step, spki: dict[str, str], earlier: list[str]) -> Iterator[str]:
    unknown = [keyid for keyid in step.pubkeys if keyid not in spki]
    if unknown:
        yield f"its key {unknown[0][:16]} is not in the layout"
    different = {spki[keyid] for keyid in step.pubkeys if keyid in spki}
    if step.threshold > len(different):
        yield f"its threshold is {step.threshold} of {len(different)} different keys"
    expected = (("materials", step.expected_materials), ("products", step.expected_products))
    for what, rules in expected:
        if not rules or rules[-1] != _LAST:
            yield f"the rules of its {what} do not end with DISALLOW *"
        for rule in rules:
            if rule[0] == "ALLOW" and "*" in rule[1]:
                yield f"ALLOW {rule[1]} lets through whatever no rule before it took"
            if rule[0] == "MATCH" and rule[-1] not in earlier:
                yield f"a rule matches {rule[-1]!r}, which is no earlier step"
            if rule[0] not in _RULES or not _is_of_form(rule):
                yield f"there is no rule {' '.join(rule)[:120]!r}"
    if not any(rule[0] == "REQUIRE" for rule in step.expected_products):
        yield "no product is required, so an absent one passes"
    if earlier and not any(rule[0] == "MATCH" for rule in step.expected_materials):
        yield "its materials match no earlier step, so anything can go in"


def _is_of_form(rule: tuple[str, ...]) -> bool:
    """Return whether a rule has as many words as its sort; `IN`, which renames, is left out."""
    if rule[0] != "MATCH":
        return len(rule) == 2
    return (
        len(rule) == 6 and rule[2::2] == ("WITH", "FROM") and rule[3] in {"MATERIALS", "PRODUCTS"}
    )
