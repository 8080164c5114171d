"""What the proof of one event shows, and what it does not, for `verify` and `prove`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

import msgspec

from attestations.anchors import compare
from attestations.verdicts.facts import AnchorFact, SignatureFact
from orchestrator.cli.evidence.anchoring import Anchors
from orchestrator.cli.evidence.authenticity import note_facts
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.terminal import emit, emit_json, inert, instant
from replay.bundle.proof import PROOF_SIZE_MAX, PROOF_SUFFIX, EventProof, read_proof
from replay.errors import NotFoundError, ProofError
from replay.events.digest import content_hash

__all__ = [
    "ProofAmong",
    "is_proof",
    "not_proved",
    "proof_fields",
    "verify_proof",
    "verify_proof_among",
]

#: What nobody may read into a proof that holds.
_NOT_PROVED: Final = (
    "that the run ends here, is sealed or is whole, or how many events it has",
    "what the events before and after it say",
    "when it happened: its time is a claim",
)
_WHICH_RUN: Final = (
    "which run it is and of what size: only a signature, or a root known from elsewhere, does that"
)
_SHOWN_MAX: Final = 2000
_BODY_SHOWN_MAX: Final = 1 << 20


def not_proved(*, known: bool = False) -> tuple[str, ...]:
    """Return what nobody may read into a proof that holds.

    Args:
        known: whether a trusted key, or a head from elsewhere, vouches for its checkpoint.
    """
    return _NOT_PROVED if known else (*_NOT_PROVED, _WHICH_RUN)


def is_proof(name: str) -> bool:
    """Return whether what somebody names is the proof of an event."""
    return Path(name).suffix == PROOF_SUFFIX


class _Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Whose checkpoint the proof has, as far as this verifier can tell.

    Attributes:
        authenticity: what the signatures are worth.
        anchoring: what the pins say.
        signatures: each of them.
        code: the exit code.
        unmet: options that named what does not hold.
    """

    authenticity: Literal["signed", "unsigned", "untrusted", "failed"]
    anchoring: Literal["none", "pinned", "conflict"]
    signatures: tuple[SignatureFact, ...]
    code: ExitCode
    unmet: tuple[str, ...]

    @property
    def known(self) -> bool:
        """Whether something beside the proof says which run and size its checkpoint is of."""
        if self.authenticity == "failed" or self.anchoring == "conflict":
            return False
        return self.authenticity == "signed" or self.anchoring == "pinned"


class ProofAmong(msgspec.Struct, frozen=True, kw_only=True):
    """What a proof among others came to.

    Attributes:
        line: the same in a line.
        fields: for a report.
        unmet: options that named what does not hold.
        code: the exit code.
        anchors: the pins that it holds.
    """

    line: str
    fields: dict[str, object]
    unmet: tuple[str, ...]
    code: ExitCode
    anchors: tuple[AnchorFact, ...]


def verify_proof(name: str, anchors: Anchors, *, as_json: bool) -> int:
    """Check the proof of an event and say what it shows.

    Args:
        name: the file.
        anchors: log keys and pins that were named.
        as_json: print one JSON object.

    Raises:
        NotFoundError: there is no such file.
        ProofError: it does not hold.
    """
    try:
        proof = _read(name)
    except ProofError as error:
        if not as_json:
            raise
        found = {"code": error.code, "message": error.message, "where": error.where}
        emit_json("verify", {"subject": "proof", "integrity": "failed", "findings": [found]})
        return ExitCode.DAMAGED
    standing = _standing(proof, anchors)
    if as_json:
        emit_json("verify", {"subject": "proof", **_fields(proof, standing)})
    else:
        for line in _lines(proof, standing):
            emit(line)
    return standing.code


def verify_proof_among(name: str, anchors: Anchors) -> ProofAmong:
    """Check the proof of an event among other things to check; each pin is about one of them.

    Raises:
        NotFoundError: there is no such file.
        ProofError: it does not hold.
    """
    proof = _read(name)
    at = proof.checkpoint.origin, proof.checkpoint.size
    own = tuple(each for each in anchors.pins if (each[1].origin, each[1].size) == at)
    standing = _standing(proof, msgspec.structs.replace(anchors, pins=own))
    pinned = standing.anchoring == "pinned"
    line = f"integrity ok, event {proof.header.seq} of {proof.checkpoint.size}"
    return ProofAmong(
        line=f"{line}, {standing.authenticity}, {standing.anchoring}",
        fields={"kind_of_file": "proof", **_fields(proof, standing)},
        unmet=standing.unmet,
        code=standing.code,
        anchors=tuple(AnchorFact("pin", "holds", "it is this head", f) for f, _ in own if pinned),
    )


def _fields(proof: EventProof, standing: _Standing) -> dict[str, object]:
    return {
        "findings": [],
        **proof_fields(proof, known=standing.known),
        "authenticity": standing.authenticity,
        "anchoring": standing.anchoring,
        "unmet": standing.unmet,
    }


def _read(name: str) -> EventProof:
    path = Path(name)
    if not path.is_file():
        raise NotFoundError("no such proof", where=name)
    with path.open("rb") as file:
        return read_proof(file.read(PROOF_SIZE_MAX + 1))


def _standing(proof: EventProof, anchors: Anchors) -> _Standing:
    """Judge the signatures of the checkpoint, and compare it with the pins that were named."""
    signatures = note_facts(proof.checkpoint, proof.signatures, anchors.log_keys, ())
    outcomes = {each.outcome for each in signatures}
    authenticity: Literal["signed", "unsigned", "untrusted", "failed"] = (
        "failed"
        if "bad" in outcomes
        else "signed"
        if "good" in outcomes
        else "untrusted"
        if outcomes
        else "unsigned"
    )
    # Without the other records a head of another size can neither be confirmed nor refuted.
    compared = [
        compare(proof.checkpoint, pin, lambda _: b"") == "same"
        for _, pin in anchors.pins
        if (pin.origin, pin.size) == (proof.checkpoint.origin, proof.checkpoint.size)
    ]
    anchoring: Literal["none", "pinned", "conflict"] = (
        "none" if not compared else "pinned" if all(compared) else "conflict"
    )
    unmet = ["--log-key"] if anchors.signed_by_none(signatures) else []
    unmet += ["--pin"] if len(compared) < len(anchors.pins) or not all(compared) else []
    code = ExitCode.DIFFERENT if unmet else ExitCode.OK
    if authenticity == "failed" or anchoring == "conflict":
        code = ExitCode.DAMAGED
    return _Standing(
        authenticity=authenticity,
        anchoring=anchoring,
        signatures=signatures,
        code=code,
        unmet=tuple(unmet),
    )


def proof_fields(proof: EventProof, *, known: bool = False) -> dict[str, object]:
    """Return what a proof that holds shows, for a report.

    Args:
        proof: the proof.
        known: see `not_proved`.
    """
    header = proof.header
    head, body = _payload(proof)
    return {
        "integrity": "ok",
        "completeness": "not proved",
        "run": proof.run_id,
        "seq": header.seq,
        "events": proof.checkpoint.size,
        "root": proof.checkpoint.root.hex(),
        "kind": header.kind,
        "name": content_hash(proof.raw),
        "header": header,
        "payload": proof.hole or "present",
        "payload_head": head,
        "payload_body": body,
        "note_signatures": [signature.name for signature in proof.signatures],
        "not_proved": not_proved(known=known),
    }


def _payload(proof: EventProof) -> tuple[object, str | None]:
    """Return head and body of the payload as JSON has them; nothing of a kind not known."""
    decoded = proof.decoded()
    if decoded is None:
        return None, None
    body = decoded[1][:_BODY_SHOWN_MAX].decode("utf-8", "replace")
    return json.loads(msgspec.json.encode(decoded[0])), body


def _lines(proof: EventProof, standing: _Standing) -> Iterator[str]:
    header = proof.header
    yield f"run           {inert(proof.run_id)}, as the checkpoint says"
    yield "integrity     ok: the event stands under this root, and is unchanged"
    yield "completeness  not proved: one event says nothing of the others"
    yield f"event         {header.seq} of {proof.checkpoint.size}, as the checkpoint says"
    yield f"kind          {inert(header.kind)}"
    yield f"time          {instant(header.time)}, as claimed"
    yield f"outcome       {header.outcome}"
    yield f"root          {proof.checkpoint.root.hex()}"
    if proof.hole is not None:
        yield f"payload       {proof.hole}: its {header.size} bytes are not here"
    else:
        head, body = _payload(proof)
        said = json.dumps(head, ensure_ascii=False) if head is not None else "of an unknown kind"
        yield f"payload       {inert(said, _SHOWN_MAX)}"
        if body:
            yield f"body          {inert(body, _SHOWN_MAX)}"
    yield f"authenticity  {standing.authenticity}"
    yield f"anchoring     {standing.anchoring}"
    for each in standing.signatures:
        yield f"signed by     {inert(each.signer)}: {each.outcome}"
    if standing.unmet:
        yield f"required      not so: {', '.join(standing.unmet)}"
    if not standing.known:
        yield "note          compare the root with one that you know from elsewhere"
    for sentence in not_proved(known=standing.known):
        yield f"not proved    {sentence}"
