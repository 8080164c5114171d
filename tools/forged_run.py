"""A small run with fixed salts and ids, as the members of a bundle, consistent all through.

Guards one invariant: everything that follows from the records is computed from them, so whoever
changes one record gets the run of a forger who mends everything: commitments, root, checkpoint,
manifest. Payloads are literal bytes: today's catalogue of kinds does not change them.
"""

from __future__ import annotations

import base64
import hashlib
import struct
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from replay.events.digest import part_commitment, payload_commitment
from replay.tree import event_leaves, inclusion_proof, root_of, workspace_leaves
from tools.bundle_forge import canonical, with_manifest

__all__ = [
    "RUN",
    "WORKSPACE",
    "Record",
    "head_of",
    "members_of",
    "note",
    "payload",
    "run_records",
    "statement",
    "workspace_frames",
    "workspace_records",
]

RUN = "01M7BADBVNDES0000000000000"
WORKSPACE = "01M7BADWRKSPACE00000000000"
_TIME = 1_790_000_000_000_000


@dataclass(frozen=True)
class Record:
    """One record: its kind, the pieces of its payload, and what its header says otherwise."""

    kind: str
    pieces: tuple[bytes, ...]
    header: Mapping[str, object] = field(default_factory=dict)

    def but(self, *pieces: bytes, **header: object) -> Record:
        """The same record with other pieces or other header fields."""
        return replace(self, pieces=pieces or self.pieces, header={**self.header, **header})


def run_records(**start: object) -> list[Record]:
    """The records of the run; keywords change what the first one says."""
    first = {
        "run": RUN,
        "entry": "command",
        "arguments": ["agent.py"],
        "directory": "/srv/here",
        "seed": "00" * 16,
        "flags": {"busy_callbacks": 10_000, "collect_every": 256, "schedule": 1, "splitter": 1},
        "monotonic": 0,
        "versions": [["python", "3.11.7"]],
        "dialects": [],
        "hash_seed": "0",
    }
    said = payload("OutputWritten", stream="stdout", marks=[]) + b"\n"
    return [
        Record("RunStarted", (payload("RunStarted", **(first | start)),), {"trigger": "start"}),
        Record("EffectStarted", (payload("EffectStarted", name="f", arguments={"q": "Vivaldi"}),)),
        Record("EffectReturned", (payload("EffectReturned", value="Antonio"),), {"answers": 1}),
        Record("OutputWritten", (said, b"An\n"), {"media": "framed"}),
        Record("OutputWritten", (said, b"to\n"), {"media": "framed"}),
        Record("RunEnded", (payload("RunEnded", value=None),)),
        Record("RunSealed", (payload("RunSealed", reason="completed", events=7),)),
    ]


def payload(kind: str, **fields: object) -> bytes:
    """A payload head: its kind first, as all heads begin."""
    return b'{"kind":"%b",%b' % (kind.encode(), canonical(fields)[1:])


def head_of(records: Sequence[Record]) -> tuple[int, str]:
    """Size and hex root of a run."""
    headers = _headers(records)[0]
    return len(headers), root_of(event_leaves(headers)).hex()


def members_of(
    records: Sequence[Record] | None = None, *, beside: bool = True, **manifest: object
) -> dict[str, bytes]:
    """The members of a bundle of a run, manifest and all, without the guard.

    Args:
        records: the run's records.
        beside: whether statements and workspace records lie beside it.
        manifest: other values for fields of the manifest.
    """
    records = run_records() if records is None else records
    size, root = head_of(records)
    headers, refs, parts = _headers(records)
    members = {
        "checkpoint.note": note(f"ritornello/run/{RUN}", size, root),
        _name("headers", size, "jsonl"): b"".join(raw + b"\n" for raw in headers),
        _name("refs", size): b"".join(refs),
        _name("parts", len(parts)): b"".join(parts),
        "manifest.json": b"{}",
    }
    if beside:
        said = sorted([statement("text/plain", b"said"), statement("text/plain", b"and said")])
        frames = workspace_frames(workspace_records(size, root))
        members[_name("statements", len(said))] = b"".join(said)
        members[_name("workspace", len(frames))] = b"".join(frames)
    fields: dict[str, object] = {
        "engine": "0.1.0",
        "format": 1,
        "kind": "run",
        "origin": f"ritornello/run/{RUN}",
        "root": root,
        "sealed": records[-1].kind == "RunSealed",
        "size": size,
    }
    return with_manifest(members, **(fields | manifest))


def note(origin: str, size: int, root: str) -> bytes:
    """A checkpoint note without signatures."""
    return f"{origin}\n{size}\n{base64.b64encode(bytes.fromhex(root)).decode()}\n".encode()


def statement(media_type: str, data: bytes) -> bytes:
    """The frame of a statement."""
    name = media_type.encode()
    return bytes((len(name),)) + name + struct.pack("<I", len(data)) + data


def workspace_records(size: object, root: object, **closed: object) -> list[Record]:
    """The records of a workspace about the run, and one about another at position 2."""
    end = {"run": RUN, "size": size, "root": root, "reason": "completed"} | closed
    return [
        Record("WorkspaceCreated", (payload("WorkspaceCreated", workspace=WORKSPACE),)),
        Record("RunRegistered", (payload("RunRegistered", run=RUN, entry="command"),)),
        Record("RunRegistered", (payload("RunRegistered", run="another", entry="command"),)),
        Record("RunClosed", (payload("RunClosed", **end),)),
    ]


def workspace_frames(
    records: Sequence[Record], *, shown: Sequence[int] = (0, 1, 3), origin: str = WORKSPACE
) -> list[bytes]:
    """The frames of an excerpt: the note, then the records at some positions with their proofs."""
    headers, _, _ = _headers(records)
    leaves = workspace_leaves(headers)
    text = note(f"ritornello/workspace/{origin}", len(leaves), root_of(leaves).hex())
    frames = [b"\0" + struct.pack("<I", len(text)) + text]
    for seq in shown:
        raw, pieces = headers[seq], records[seq].pieces
        proof = inclusion_proof(seq, leaves)
        frame = b"\1" + struct.pack("<I", len(raw)) + raw + struct.pack("<I", len(pieces))
        frame += b"".join(_part(piece) + piece for piece in pieces)
        frames.append(frame + bytes((len(proof),)) + b"".join(proof))
    return frames


def _headers(records: Sequence[Record]) -> tuple[list[bytes], list[bytes], list[bytes]]:
    """Header bytes, frames of part lists and frames of parts."""
    ordinals: dict[bytes, int] = {}
    indexes: Counter[str] = Counter()
    headers: list[bytes] = []
    refs: list[bytes] = []
    parts: list[bytes] = []
    for seq, record in enumerate(records):
        listed = []
        for piece in record.pieces:
            if piece not in ordinals:
                ordinals[piece] = len(ordinals)
                parts.append(_part(piece) + struct.pack("<Q", seq) + piece)
            listed.append(ordinals[piece])
        # The whole list anew is one of its spellings; all numbers here are below 128.
        stored = bytes((0, 0, len(listed), *listed))
        refs.append(struct.pack("<I", len(stored)) + stored)
        commitments = [
            (len(piece), part_commitment(_salt(piece), piece)) for piece in record.pieces
        ]
        fields: dict[str, object] = {
            "causes": [seq - 1] if seq else [],
            "commitment": payload_commitment(commitments),
            "index": indexes[record.kind],
            "kind": record.kind,
            "lamport": seq,
            "media": "json",
            "participant": 0,
            "seq": seq,
            "size": sum(map(len, record.pieces)),
            "task": 0,
            "time": _TIME + seq,
            "v": 1,
        }
        indexes[record.kind] += 1
        headers.append(canonical(fields | dict(record.header)))
    return headers, refs, parts


def _part(piece: bytes) -> bytes:
    """State, salt, commitment and size of a part that is present."""
    salt = _salt(piece)
    start = bytes((0, len(salt))) + salt + part_commitment(salt, piece)
    return start + struct.pack("<Q", len(piece))


def _salt(piece: bytes) -> bytes:
    """A salt that is always the same: worth nothing, and enough to forge with."""
    return hashlib.sha256(b"salt" + piece).digest()[:16]


def _name(kind: str, count: int, suffix: str = "bin") -> str:
    return f"{kind}/{0:012d}-{count - 1:012d}.{suffix}"
