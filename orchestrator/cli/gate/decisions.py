"""Decides about one artifact with the keys that are known here, and says what was decided."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from orchestrator.cli.gate.keyless_admission import keyless_check
from orchestrator.cli.key_verbs.user_places import trust_file
from orchestrator.cli.terminal import inert, paint

if TYPE_CHECKING:
    from attestations.admission.decision import Decision
    from attestations.admission.facts import Artifact, Facts
    from attestations.admission.gathering import Sights
    from attestations.admission.layers import TrustPolicy
    from attestations.keys.public import PublicKey
    from attestations.keys.trust import Trust
    from orchestrator.cli.evidence.earlier import Earlier

__all__ = [
    "COLLECTION_SUFFIX",
    "SIGSTORE_SUFFIX",
    "decide",
    "decision_fields",
    "decision_lines",
    "envelopes_beside",
    "gather",
    "known_keys",
    "now_us",
    "read_bounded",
    "refuse",
]

#: Envelopes about a file stand beside it, one a line, under its name and this.
COLLECTION_SUFFIX: Final = ".intoto.jsonl"
#: A Sigstore bundle about a file stands beside it, as its tools write it, under its name and this.
SIGSTORE_SUFFIX: Final = ".sigstore.json"
_COLLECTION_SIZE_MAX: Final = 32 << 20
_SIGSTORE_SIZE_MAX: Final = 4 << 20
_SHOWN_MAX: Final = 300


def decide(
    trust: TrustPolicy,
    artifact: Artifact,
    envelopes: Iterable[bytes],
    *,
    at_us: int | None = None,
    earlier: Earlier | None = None,
) -> Decision:
    """Check what is said of an artifact, and decide.

    Args:
        trust: the policies.
        artifact: what is to run; about receipts decides another room.
        envelopes: what is said of it, hostile bytes.
        at_us: the time to decide for; now, if not given.
        earlier: what logs and others say of when statements were signed, if there are logs.

    Raises:
        KeyFormError: a policy holds bytes that are no key.
        TrustFileError: the user's file of trusted keys cannot be read.
        KeylessError: the user's pin of a Sigstore cannot be read, or its root is another one.
    """
    from attestations.admission.evaluation import evaluate
    from attestations.admission.receipts import without_denied_receipts

    moment = now_us() if at_us is None else at_us
    facts = without_denied_receipts(trust, gather(trust, artifact, envelopes, earlier), moment)
    return evaluate(trust, facts, moment)


def gather(
    trust: TrustPolicy,
    artifact: Artifact,
    envelopes: Iterable[bytes],
    earlier: Earlier | None = None,
) -> Facts:
    """Return what is verified about an artifact; errors and arguments as :func:`decide`."""
    from attestations.admission.gathering import facts_of, keys_of, nobody_saw

    keys = keys_of(trust, known_keys()[1])
    seen: Sights = nobody_saw if earlier is None else earlier.seen
    return facts_of(artifact, envelopes, keys, seen=seen, other=keyless_check(seen)).facts


def refuse(decision: Decision) -> None:
    """Raise what says why, if the artifact may not run.

    Raises:
        AdmissionError: it may not.
    """
    if decision.verdict == "allow":
        return
    from attestations.errors import AdmissionError

    artifact = decision.artifact
    first = decision.reasons[0]
    others = [each.text for each in decision.reasons[1:4] if each.code not in {"met", "any"}]
    raise AdmissionError(
        f"the {artifact.kind} may not run: {'; '.join([first.text, *others])}",
        where=f"{artifact.name or artifact.kind}, sha256 {artifact.digest}; rule {decision.rule}",
        hint="`ritornello policy explain` shows the rules; add a statement that they ask for",
    )


def decision_fields(decision: Decision) -> dict[str, object]:
    """Return a decision for a JSON object."""
    fields: dict[str, object] = msgspec.to_builtins(decision)
    return fields


def decision_lines(decision: Decision) -> Iterator[str]:
    """Yield the lines that say what was decided, and why."""
    artifact = decision.artifact
    shown = paint(decision.judged, "green" if decision.judged == "allow" else "red")
    mode = "" if decision.mode == "required" else f" (looking on: {decision.verdict})"
    name = inert(artifact.name, 80) or artifact.kind
    yield f"{shown}{mode}  {artifact.kind} {name}  sha256 {artifact.digest}"
    if decision.rule:
        yield f"  rule {inert(decision.rule)}"
    for each in decision.reasons:
        place = "/".join(part for part in (each.policy, each.rule) if part)
        yield f"  {each.code}{f' ({place})' if place else ''}: {inert(each.text, _SHOWN_MAX)}"


def known_keys() -> tuple[Trust, dict[str, PublicKey]]:
    """Return the user's file of trusted keys, and those for statements by key id.

    Raises:
        TrustFileError: it cannot be read, or is not of its form.
    """
    from attestations.keys.trust import read_trust

    trusted = read_trust(trust_file())
    return trusted, {key.keyid: key.public() for key in trusted.of_role("attestation")}


def read_bounded(path: Path, size_max: int | None = None) -> bytes:
    """Read a file that has to be there, and no more of it than is allowed.

    Raises:
        PolicyError: it is not there, no file, or too long.
    """
    from attestations.admission.policy_file import POLICY_SIZE_MAX
    from attestations.errors import PolicyError

    most = POLICY_SIZE_MAX if size_max is None else size_max
    try:
        # Whoever has the project may have put a pipe there, which nobody ever writes into.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise PolicyError("it is no file", where=str(path))
            data = file.read(most + 1)
    except OSError as error:
        what = f"the file cannot be read: {error.strerror}"
        raise PolicyError(what, where=str(path), hint="name a file that is there") from None
    if len(data) > most:
        raise PolicyError(f"the file has more than {most} bytes", where=str(path))
    return data


def envelopes_beside(path: Path) -> tuple[bytes, ...]:
    """Return the envelopes that stand beside a file, and the Sigstore bundle that does.

    Raises:
        PolicyError: they cannot be read.
        EnvelopeError: they are too many.
    """
    from attestations.statements.envelope import read_lines

    found: list[bytes] = []
    beside = path.with_name(path.name + COLLECTION_SUFFIX)
    if os.path.lexists(beside):
        found += read_lines(read_bounded(beside, _COLLECTION_SIZE_MAX))
    bundle = path.with_name(path.name + SIGSTORE_SUFFIX)
    if os.path.lexists(bundle):
        found.append(read_bounded(bundle, _SIGSTORE_SIZE_MAX))
    return tuple(found)


def now_us() -> int:
    """Return the time of this machine, in microseconds since the Unix epoch."""
    return time.time_ns() // 1000
