"""What was verified about an artifact before anyone decides: closed values, no keys and no bytes.

The one invariant: a fact is something that was checked. A signer stands here because a signature by
its key was verified over the exact payload; whether that signer is trusted, and for what, is the
policy's affair. What was claimed and not checked is marked as a claim (`Seen.how`), or absent.

Rooms that verify (local keys, keyless) translate their results to these values.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

__all__ = [
    "TRUSTED_SIGHT",
    "Artifact",
    "ArtifactKind",
    "Digest",
    "Facts",
    "KeySigner",
    "KeylessSigner",
    "Seen",
    "Sight",
    "Signer",
    "StatementFact",
    "signer_name",
]

#: What can be admitted. A bundle is named by its checkpoint's body, all others by their bytes.
ArtifactKind = Literal["bundle", "code", "policy", "prompt", "receipt", "tool"]

#: Hex SHA-256.
Digest = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]

#: How it is known that something existed at a time or at a size of a workspace's log.
Sight = Literal["pinned", "timestamped", "witnessed", "claimed"]

#: Sights that count: somebody outside the workspace kept a head, or a clock stamped it.
TRUSTED_SIGHT: Final[tuple[Sight, ...]] = ("pinned", "timestamped", "witnessed")


class _Value(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of the values here."""


class KeySigner(_Value, frozen=True, tag="key"):
    """Somebody who holds a key.

    Attributes:
        keyid: hex SHA-256 of the key's SPKI bytes, so that a key has one name.
    """

    keyid: Digest


class KeylessSigner(_Value, frozen=True, tag="keyless"):
    """Somebody whom an identity provider vouched for, in a certificate that was verified.

    Attributes:
        issuer: URL of the identity provider.
        identity: the certificate's subject alternative name, whole.
        claims: further certificate claims by name, such as ``source_repository_identifier``.
    """

    issuer: str
    identity: str
    claims: dict[str, str] = msgspec.field(default_factory=dict)


Signer = KeySigner | KeylessSigner


class Seen(_Value, frozen=True):
    """Something existed at a moment, and how that is known.

    Attributes:
        how: ``claimed`` is somebody's word and counts for nothing here.
        time_us: it existed no later than this, in microseconds since the Unix epoch.
        workspace: origin of the workspace log whose size is named; empty if none is.
        size: number of records that log had then.
    """

    how: Sight
    time_us: int | None = None
    workspace: str = ""
    size: int | None = None


class StatementFact(_Value, frozen=True):
    """A signed statement that was verified.

    Attributes:
        payload: hex SHA-256 of the decoded payload, which names the statement.
        predicate_type: its predicate type, a URI.
        subjects: SHA-256 of everything it speaks of.
        signers: whose signatures over it were verified; others are left out.
        issued_us: when its signers say they made it, signed with the rest.
        version: version of the artifact that it speaks of, as dotted numbers; empty if none.
        build_type: URI of how it was built, where the statement is provenance; empty if none.
        seen: when it existed.
    """

    payload: Digest
    predicate_type: str
    subjects: tuple[Digest, ...]
    signers: tuple[Signer, ...]
    issued_us: int | None = None
    version: str = ""
    build_type: str = ""
    seen: tuple[Seen, ...] = ()


class Artifact(_Value, frozen=True):
    """What is to run.

    Attributes:
        kind: what it is.
        digest: SHA-256 of its exact bytes; of a bundle, that of its checkpoint's body.
        name: what a person calls it; decides nothing.
    """

    kind: ArtifactKind
    digest: Digest
    name: str = ""


class Facts(_Value, frozen=True):
    """All that is known about one artifact.

    Attributes:
        artifact: what it is.
        statements: verified statements, in any order; those about other things count for nothing.
        damage: what contradicts itself in its bytes; empty if nothing does.
    """

    artifact: Artifact
    statements: tuple[StatementFact, ...] = ()
    damage: str = ""


def signer_name(signer: Signer) -> str:
    """Return the text by which a signer is one signer: two that are equal count once."""
    if isinstance(signer, KeySigner):
        return f"key {signer.keyid}"
    return f"{signer.identity} by {signer.issuer}"
