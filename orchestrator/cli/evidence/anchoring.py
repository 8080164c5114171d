"""How the head of a log compares with what this verifier has of it from elsewhere.

The one invariant: an anchor that somebody names must hold. One that is about another log or
another head is said to be that, and what was named for it is then missing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final, Literal

import msgspec

from attestations.anchors import (
    Comparison,
    HeadMemory,
    TimeStampRoots,
    compare,
    read_pin,
    read_roots,
    verify_time_stamp,
)
from attestations.checkpoints import VerifierKey, checked_signatures, parse_vkey
from attestations.errors import KeyFormError, TimeStampError
from attestations.keys.files import NAME, PUBLIC_SUFFIX
from attestations.verdicts import AnchorFact, SignatureFact, WitnessFact
from orchestrator.cli.key_verbs.key_use import key_path
from orchestrator.cli.key_verbs.listing import read_public
from orchestrator.cli.key_verbs.user_places import state_directory
from orchestrator.cli.terminal import inert
from replay.errors import UsageError
from replay.tree import Checkpoint, NoteSignature

__all__ = ["Anchors", "anchor_facts", "note_key", "read_anchors", "seen_before"]

#: What each comparison with a head from elsewhere comes to.
_SAID: dict[Comparison, str] = {
    "same": "it is this very head",
    "grown": "this log continues it",
    "shorter": "this log is shorter: records that were there are gone",
    "fork": "this log has other records in the same places",
    "other": "it is about another log",
}


_KEY_FILE_MAX: Final = 16 << 10
_PEM: Final = "-----BEGIN"
_SHOWN_MAX: Final = 80

#: What a memory cannot know.
_WHICH: Final = (
    "which of the two is true it cannot tell, only which was first: a pin, a signature or somebody"
    " else's copy can; remove that directory to forget both"
)
_CONTRADICTED: Final = (
    "since then another head was shown here, which cannot be true beside this one"
)


class Anchors(msgspec.Struct, frozen=True, kw_only=True):
    """What a verifier has from elsewhere.

    Attributes:
        memory: the heads that it saw before; None to leave them out.
        pins: (file, head) of each pin that was named.
        roots: certificates that it trusts for time.
        log_keys: keys of logs that were named.
        witnesses: keys of witnesses that were named.
        threshold: how many of these have to have cosigned.
    """

    memory: Path | None
    pins: tuple[tuple[str, Checkpoint], ...] = ()
    roots: TimeStampRoots = ()
    log_keys: tuple[VerifierKey, ...] = ()
    witnesses: tuple[VerifierKey, ...] = ()
    threshold: int = 0

    def unmet(
        self,
        anchors: Sequence[AnchorFact],
        states: Sequence[str],
        pins: Literal["all", "any", "none"] = "all",
    ) -> list[str]:
        """Return what was named and does not hold, as the options that named it.

        Args:
            anchors: what was found out.
            states: all that is true of the anchoring.
            pins: how many of the pins have to hold: of several logs each pin is about one.
        """
        holding = {each.kind for each in anchors if each.outcome == "holds"}
        missing: list[str] = []
        left = {"all": bool(self.unpinned(anchors)), "any": "pin" not in holding, "none": False}
        if self.pins and left[pins]:
            missing.append("--pin")
        if self.roots and "time-stamp" not in holding:
            missing.append("--tsa-root")
        if self.witnesses and "witnessed" not in states:
            missing.append("--witness")
        return missing

    def unpinned(self, anchors: Iterable[AnchorFact]) -> list[str]:
        """Return the pins that were named and hold nothing of what was found out."""
        held = {each.source for each in anchors if (each.kind, each.outcome) == ("pin", "holds")}
        return [name for name, _ in self.pins if name not in held]

    def signed_by_none(self, signatures: Iterable[SignatureFact]) -> bool:
        """Whether log keys were named, and none of them signed the head."""
        good = {(each.signer, each.key) for each in signatures if each.outcome == "good"}
        named = {(key.name, key.key_id.hex()) for key in self.log_keys}
        return bool(named) and not named & good


def read_anchors(
    *,
    memory: bool,
    pins: Sequence[Path],
    roots: Sequence[Path],
    log_keys: Sequence[str],
    witnesses: Sequence[str],
    threshold: int | None,
) -> Anchors:
    """Read what the options of `verify` name.

    Raises:
        UsageError: more witnesses are to have cosigned than there are, or none.
        AttestationError: a pin, key or certificate is none.
        OSError: a file cannot be read.
    """
    named = tuple(map(note_key, witnesses))
    for key in named:
        if key.algorithm != "cosignature/v1":
            raise UsageError(
                "this key makes no cosignatures", where=key.name, hint="--log-key takes it"
            )
    plain = tuple(map(note_key, log_keys))
    for key in plain:
        if key.algorithm != "ed25519":
            raise UsageError("this key is a witness's", where=key.name, hint="--witness takes it")
    different = len({key.public_key for key in named})
    wanted = different if threshold is None else threshold
    if threshold is not None and not 1 <= threshold <= different:
        raise UsageError(
            f"{threshold} of {different} witnesses cannot have cosigned",
            hint="--witness names each; --witnesses says how many of them are enough",
        )
    certificates = [root for path in roots for root in read_roots(path)]
    return Anchors(
        memory=state_directory() if memory else None,
        pins=tuple((os.fspath(path), read_pin(path)) for path in pins),
        roots=tuple(dict.fromkeys(certificates)),
        log_keys=plain,
        witnesses=named,
        threshold=wanted,
    )


def seen_before(anchors: Anchors, origin: str) -> Checkpoint | None:
    """Return the head last seen of a log; of one that grows, to be asked before it is read."""
    return None if anchors.memory is None else HeadMemory(anchors.memory).known(origin)


def anchor_facts(
    anchors: Anchors,
    now: Checkpoint,
    signatures: Sequence[NoteSignature],
    time_stamps: Sequence[bytes],
    prefix_root: Callable[[int], bytes],
    begun: Checkpoint | None = None,
) -> tuple[tuple[AnchorFact, ...], tuple[WitnessFact, ...]]:
    """Compare a head, computed from records that hold, with what is known from elsewhere.

    Args:
        anchors: what is known.
        now: the head.
        signatures: the lines of its note.
        time_stamps: replies of time stamping authorities that came with it.
        prefix_root: computes the root over the first so many records at hand.
        begun: the head that this verifier had seen before it read the records; see `seen_before`.
    """
    facts = [_pinned(name, pin, now, prefix_root) for name, pin in anchors.pins]
    if anchors.memory is not None:
        memory = HeadMemory(anchors.memory)
        facts += _remembered(memory, now, signatures, prefix_root, begun)
    facts += [_stamped(reply, now, anchors.roots) for reply in time_stamps]
    return tuple(facts), _witnessed(anchors, now, signatures)


def _pinned(
    name: str, pin: Checkpoint, now: Checkpoint, prefix_root: Callable[[int], bytes]
) -> AnchorFact:
    found = compare(now, pin, prefix_root)
    message = f"{inert(name)} pins {pin.size} records: {_SAID[found]}"
    if found == "other":
        return AnchorFact("pin", "none", message, name)
    holds = found in {"same", "grown"}
    return AnchorFact("pin", "holds" if holds else "conflict", message, name)


def _remembered(
    memory: HeadMemory,
    now: Checkpoint,
    signatures: Sequence[NoteSignature],
    prefix_root: Callable[[int], bytes],
    begun: Checkpoint | None,
) -> list[AnchorFact]:
    seen = memory.see(now, now.note(signatures), prefix_root, begun=begun)
    trouble = f"; this head could not be kept: {seen.trouble}" if seen.trouble else ""
    if seen.comparison is None or seen.known is None:
        return [AnchorFact("memory", "none", f"never seen here before{trouble}")] if trouble else []
    message = f"{seen.known.size} records were seen here before: {_SAID[seen.comparison]}"
    if seen.common is not None:
        what = "it is the head" if seen.common == now else "it continues the one"
        message += f"; {what} of {seen.common.size} records that was seen before that"
    message += trouble
    if seen.comparison in {"same", "grown"}:
        facts = [AnchorFact("memory", "holds", message)]
        if seen.contradicted and seen.kept is not None:
            kept = inert(os.fspath(seen.kept.parent / "conflicts"))
            facts.append(AnchorFact("memory", "none", f"{_CONTRADICTED}: it is kept in {kept}"))
        return facts
    if seen.kept is not None:
        message += f"; both are kept in {inert(os.fspath(seen.kept.parent.parent))}"
    return [AnchorFact("memory", "conflict", message), AnchorFact("memory", "none", _WHICH)]


def _stamped(reply: bytes, now: Checkpoint, roots: TimeStampRoots) -> AnchorFact:
    if not roots:
        message = "a time stamp, not verified: --tsa-root FILE names whom to trust for time"
        return AnchorFact("time-stamp", "none", message)
    try:
        stamp = verify_time_stamp(reply, now.body(), roots)
    except TimeStampError as error:
        return AnchorFact("time-stamp", "none", inert(error.message))
    return AnchorFact("time-stamp", "holds", f"there at {stamp.time.isoformat()}")


def _witnessed(
    anchors: Anchors, now: Checkpoint, signatures: Sequence[NoteSignature]
) -> tuple[WitnessFact, ...]:
    checked = {
        (each.name, each.key_id): each
        for each in checked_signatures(now.body(), signatures, anchors.witnesses)
        if each.outcome != "unknown"
    }
    facts: list[WitnessFact] = []
    for key in anchors.witnesses:
        found = checked.get((key.name, key.key_id.hex()))
        public = key.public_key.hex()
        if found is None:
            facts.append(WitnessFact(key.name, public, "absent"))
        else:
            good = found.outcome == "good"
            facts.append(WitnessFact(key.name, public, "good" if good else "bad", found.time_s))
    return tuple(facts)


def note_key(named: str) -> VerifierKey:
    """Read a key that was given as text, as a file that holds it, or as that of `keys new`."""
    is_file = os.path.isfile(named)  # noqa: PTH113 - a key's text may be too long for a path
    own = NAME.fullmatch(named) and key_path(named).with_suffix(PUBLIC_SUFFIX).is_file()
    if not is_file and not own:
        try:
            return parse_vkey(named)
        except KeyFormError as error:
            what = f"no file is called that, and {error.message}"
            raise KeyFormError(what, where=named[:_SHOWN_MAX], hint=error.hint) from None
    if is_file:
        with Path(named).open("rb") as file:
            text = file.read(_KEY_FILE_MAX).decode("ascii", "replace").strip()
        if _PEM not in text:
            return parse_vkey(text)
    role, name, public = read_public(named)
    if role == "attestation":
        raise UsageError("this is a key for statements", where=named, hint="--key takes those")
    if not name:
        raise UsageError(
            "the file does not say what the key is called, so nothing names its signatures",
            where=named,
            hint="give its note key: `ritornello keys list` shows it",
        )
    return VerifierKey(name, public.raw(), "cosignature/v1" if role == "witness" else "ed25519")
