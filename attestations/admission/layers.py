"""Policies put together: each is asked, and each can only take away.

The one invariant: whatever is put together allows nothing that one of its layers denies, and looks
on only if every layer does. There is no precedence and no overriding, so the order in which files
were found means nothing and a project's file cannot undo what a user's file demands.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from attestations.admission.policy import Mode, Policy, Revocation

__all__ = ["Layer", "LayerSource", "TrustPolicy", "merge", "with_revocations"]

#: Who brought a policy: somebody who pinned its digest, or the directory a program lies in.
LayerSource = Literal["pinned", "project"]


class Layer(msgspec.Struct, frozen=True, kw_only=True):
    """One policy file.

    Attributes:
        policy: what it says.
        digest: hex SHA-256 of its bytes.
        source: who brought it.
        where: the file's name, for people.
    """

    policy: Policy
    digest: str
    source: LayerSource
    where: str = ""


class TrustPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """What decides: layers, each of which must allow. Make it with :func:`merge`.

    Attributes:
        layers: ascending digests, each policy once.
        revocations: those known from elsewhere, such as a workspace's log.
    """

    layers: tuple[Layer, ...] = ()
    revocations: tuple[Revocation, ...] = ()

    @property
    def mode(self) -> Mode:
        """Whether it decides; it does if one layer does."""
        asked = any(layer.policy.trust == "required" for layer in self.layers)
        return "required" if asked else "observe"

    @property
    def revoked(self) -> tuple[Revocation, ...]:
        """All revocations: one layer's hold for the rules of every other."""
        own = [each for layer in self.layers for each in layer.policy.revocations]
        return (*self.revocations, *own)

    def weaker(self) -> tuple[Layer, ...]:
        """Return the layers that ask in so many words to look on, and are overruled."""
        if self.mode == "observe":
            return ()
        return tuple(layer for layer in self.layers if layer.policy.trust == "observe")


def merge(layers: Iterable[Layer], revocations: Iterable[Revocation] = ()) -> TrustPolicy:
    """Put policies together, in any order; one that comes twice counts once."""
    found = {layer.digest: layer for layer in sorted(layers, key=_weakest_first)}
    ordered = tuple(found[digest] for digest in sorted(found))
    return TrustPolicy(layers=ordered, revocations=tuple(revocations))


def with_revocations(trust: TrustPolicy, revocations: Iterable[Revocation]) -> TrustPolicy:
    """Return the same policies with revocations that came to be known."""
    return msgspec.structs.replace(trust, revocations=(*trust.revocations, *revocations))


def _weakest_first(layer: Layer) -> tuple[bool, str]:
    return layer.source == "pinned", layer.where
