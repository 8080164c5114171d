"""Whether an artifact went through its release chain: verified once, when it is admitted.

The one invariant: in-toto judges what was verified before it saw it. Layout and links are read and
their signatures counted here, by keys that differ; in-toto then gets files of exactly these bytes,
in a directory of its own, to judge rules and expiry. Its answer is compared with the artifact here.

`in_toto` is imported when this is used; it is no dependency of the core.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec

from attestations.errors import LayoutError
from attestations.keys.public import PublicKey
from attestations.statements.envelope import Envelope, Signature, pae, read_envelope, verify
from attestations.statements.layout import Layout, Step, public_key, read_layout
from attestations.statements.strict_json import check_json

__all__ = ["Release", "verify_release"]

_LINKS_MAX: Final = 256


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """A release chain that holds.

    Attributes:
        layout: hex SHA-256 of the layout's bytes.
        owners: key ids of the trusted keys that signed it.
        steps: name of each step, and the key ids of those who did it, ascending.
        products: hex SHA-256 of what came out at the end, by name.
    """

    layout: str
    owners: tuple[str, ...]
    steps: tuple[tuple[str, tuple[str, ...]], ...]
    products: dict[str, str]


class _Digest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What names an artifact in a link; in-toto would end where another has none."""

    sha256: Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]


class _Link(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Evidence of one step; no layout, which in-toto would take in its place, commands and all."""

    type_: Literal["link"] = msgspec.field(name="_type")
    byproducts: dict[str, msgspec.Raw] = {}
    command: tuple[str, ...] = ()
    environment: dict[str, msgspec.Raw] = {}
    materials: dict[str, _Digest]
    name: str
    products: dict[str, _Digest]


def verify_release(
    layout: bytes,
    links: Sequence[bytes],
    owners: Iterable[PublicKey],
    *,
    name: str,
    artifact: bytes,
    threshold: int = 1,
) -> Release:
    """Check that an artifact came out of a release chain.

    Args:
        layout: DSSE envelope of the layout, hostile.
        links: DSSE envelopes of the links, hostile, in any order.
        owners: the keys trusted to sign layouts.
        name: what the artifact is called among the products of the last step.
        artifact: its bytes, which are what is used afterwards.
        threshold: how many owners must have signed.

    Raises:
        EnvelopeError: the layout or a link is not of the strict form.
        LayoutError: nobody trusted signed the layout; it is refused; too few of those whom it names
            did a step; its rules do not hold; or the artifact is another one.
    """
    signed = read_envelope(layout)
    by = verify(signed, owners, threshold)
    if not by:
        raise LayoutError("too few trusted owners signed the layout")
    plan = read_layout(signed.payload)
    if len(links) > _LINKS_MAX:
        raise LayoutError(f"there are more than {_LINKS_MAX} links")
    read = [read_envelope(each) for each in links]
    done = {step.name: _done(step, plan, read) for step in plan.steps}
    products = _judged(signed, by[0], done)
    digest = sha256(artifact).hexdigest()
    if products.get(name) != digest:
        raise LayoutError(
            "the artifact is not what came out of the chain",
            where=name,
            hint=f"its SHA-256 is {digest}",
        )
    return Release(
        layout=signed.identity,
        owners=tuple(key.keyid for key in by),
        steps=tuple((step.name, tuple(sorted(done[step.name]))) for step in plan.steps),
        products=products,
    )


def _done(step: Step, plan: Layout, links: Iterable[Envelope]) -> dict[str, tuple[str, bytes]]:
    """Return who did a step: by key id, the key's name in the layout, and the link it signed."""
    found: dict[str, tuple[str, bytes]] = {}
    for link in links:
        for name in step.pubkeys:
            key = public_key(plan.keys[name])
            own = None if key.keyid in found else _alone(link, key, name)
            if own is not None and _step_of(link) == step.name:
                found[key.keyid] = (name, own)
    if len(found) < step.threshold:
        raise LayoutError(
            f"{len(found)} of {step.threshold} keys did it", where=f"step {step.name}"
        )
    return found


def _alone(envelope: Envelope, key: PublicKey, name: str) -> bytes | None:
    """Return the envelope with one key's signature alone, under the name that in-toto looks for."""
    message = pae(envelope.payload_type, envelope.payload)
    for each in envelope.signatures:
        if key.verifies(each.value, message):
            only = (Signature(name, each.value),)
            return Envelope(envelope.payload_type, envelope.payload, only).encode()
    return None


def _step_of(envelope: Envelope) -> str:
    """Return of which step a link with a good signature is the evidence."""
    try:
        check_json(envelope.payload)
        return msgspec.json.decode(envelope.payload, type=_Link).name
    except (ValueError, msgspec.MsgspecError, RecursionError) as error:
        raise LayoutError(f"what stands for a link is none: {error}") from None


def _judged(
    layout: Envelope, owner: PublicKey, done: dict[str, dict[str, tuple[str, bytes]]]
) -> dict[str, str]:
    """Have in-toto judge rules and expiry; return the products of the last step."""
    try:
        from in_toto import exceptions, verifylib  # type: ignore[import-untyped]  # no py.typed
        from in_toto.models.metadata import Metadata  # type: ignore[import-untyped]  # as above
    except ImportError as error:
        raise LayoutError(
            "release chains are judged by in-toto, which is not installed",
            hint="pip install 'ritornello[layouts]'",
        ) from error
    signed = _alone(layout, owner, owner.keyid)
    assert signed is not None, "the owner's signature was verified"
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        (place / "root.layout").write_bytes(signed)
        for step, links in done.items():
            for name, data in links.values():
                (place / f"{step}.{name[:8]}.link").write_bytes(data)
        try:
            summary = verifylib.in_toto_verify(
                Metadata.load(str(place / "root.layout")),
                {owner.keyid: _their_key(owner)},
                link_dir_path=directory,
                persist_inspection_links=False,
            )
        except exceptions.LayoutExpiredError as error:
            raise LayoutError("the layout has expired") from error
        except exceptions.RuleVerificationError as error:
            raise LayoutError(f"a rule does not hold: {str(error).splitlines()[0]}") from error
        except exceptions.ThresholdVerificationError as error:
            raise LayoutError("those who did a step do not agree on what came of it") from error
    return {name: digests["sha256"] for name, digests in sorted(summary.products.items())}


def _their_key(key: PublicKey) -> dict[str, object]:
    """Spell a key as in-toto does."""
    if key.algorithm == "ed25519":
        return {
            "keyid": key.keyid,
            "keytype": "ed25519",
            "keyval": {"public": key.raw().hex()},
            "scheme": "ed25519",
        }
    return {
        "keyid": key.keyid,
        "keytype": "ecdsa",
        "keyval": {"public": key.pem().decode()},
        "scheme": "ecdsa-sha2-nistp256",
    }
