"""Small bundles, and a forger who takes them apart and puts them together again.

The forger knows the format but shares no code with the engine's reader or writer: he takes members
out with :mod:`zipfile` and writes the zip with :mod:`struct`, so that any field can be wrong.
"""

import hashlib
import io
import json
import struct
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path

from replay.bundle import BundleReader, BundleSummary, Verified, write_bundle
from replay.bundle.container import Container
from replay.events.entry import Entry
from replay.events.header import Header, encode_header
from replay.events.kinds import EffectReturned, EffectStarted, OutputWritten, RunEnded
from replay.events.parts import PartTable
from replay.events.payload import encode_head
from replay.events.workspace_kinds import (
    RunClosed,
    RunExported,
    RunRegistered,
    WorkspaceCreated,
    WorkspacePayload,
)
from replay.log.excerpt import Excerpt, excerpt_of
from replay.log.memory import MemoryStore
from replay.tree import Checkpoint, Frontier, event_leaf
from tests.contract.entries import Chain, _json

GUARD = "zip.sha256"
HEADERS = "headers/000000000000-000000000005.jsonl"
REFS = "refs/000000000000-000000000005.bin"


def uncut(head: bytes, body: bytes | None) -> list[bytes]:
    """Make one part of a head and one of a body: no matter what the splitter of today does."""
    return [head] if body is None else [head + b"\n", body]


def small_entries() -> list[Entry]:
    """Make a sealed run of six records with a repeated part and a periodic one."""
    chain = Chain(7, cut=uncut)
    return [
        chain.next(),
        chain.record(EffectStarted(name="look_up", arguments=_json({"q": "Vivaldi"}))),
        chain.record(EffectReturned(value=_json("sempre " * 40))),
        chain.record(OutputWritten(stream="stdout", marks=()), b"yes\n"),
        chain.record(RunEnded(value=_json("yes"))),
        chain.seal(),
    ]


def stored(entries: list[Entry]) -> MemoryStore:
    """Put records into a store."""
    store = MemoryStore()
    store.append(entries)
    return store


def head_of(entries: list[Entry], run: str = "01JDTESTRUN0000000000000") -> Checkpoint:
    """Compute the checkpoint over records."""
    frontier = Frontier()
    for entry in entries:
        frontier.append(event_leaf(entry.raw))
    return Checkpoint(f"ritornello/run/{run}", frontier.size, frontier.root())


def workspace_records(entries: list[Entry], *, others: int = 2) -> list[Entry]:
    """Make the records of a workspace in which a run began, ended and was exported."""
    log = WorkspaceChain()
    log.record(WorkspaceCreated(workspace="01JDTESTWORKSPACE0000000"))
    for number in range(others):
        log.record(RunRegistered(run=f"other-{number}", entry="command"))
    run = "01JDTESTRUN0000000000000"
    head = head_of(entries)
    log.record(RunRegistered(run=run, entry="command"))
    log.record(RunRegistered(run="another", entry="command"))
    closed = {"run": run, "size": head.size, "root": head.root.hex()}
    log.record(RunClosed(**closed, reason="completed"))
    log.record(RunExported(**closed, manifest="0" * 64))
    log.record(RunRegistered(run="yet-another", entry="command"))
    return log.entries


def excerpt_about(entries: list[Entry]) -> Excerpt:
    """Make what that workspace's log says about the run."""
    excerpt = excerpt_of(workspace_records(entries), "01JDTESTRUN0000000000000")
    assert excerpt is not None
    return excerpt


class WorkspaceChain:
    """Makes the records of a workspace log, with salts that are always the same."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self._table = PartTable(lambda ordinal: hashlib.sha256(b"%d" % ordinal).digest()[:16])

    def record(self, payload: WorkspacePayload) -> None:
        """Add a record."""
        seq = len(self.entries)
        refs, brought, commitment, size = self._table.commit([encode_head(payload)])
        header = Header(
            causes=(seq - 1,) if seq else (),
            commitment=commitment,
            index=0,
            kind=type(payload).__name__,
            lamport=seq,
            media="json",
            participant=0,
            seq=seq,
            size=size,
            task=0,
            time=1_790_000_000_000_000 + seq,
            v=1,
        )
        self.entries.append(
            Entry(header=header, raw=encode_header(header), parts=refs, brought=brought)
        )


def export(entries: list[Entry], path: Path, **options) -> BundleSummary:
    """Write records as a bundle; whether they are sealed shows in the last one."""
    options.setdefault("checkpoint", head_of(entries))
    options.setdefault("sealed", entries[-1].header.kind == "RunSealed")
    options.setdefault("engine", "0.1.0")
    return write_bundle(stored(entries), path, **options)


@dataclass
class Raw:
    """One zip member with every field that a zip has; None means: as it should be."""

    name: bytes
    plain: bytes
    method: int = 8
    packed: bytes | None = None
    crc: int | None = None
    length: int | None = None
    flags: int = 0
    extra: bytes = b""
    comment: bytes = b""
    mode: int = 0o100600 << 16
    local: dict = field(default_factory=dict)


def verify_bytes(data: bytes) -> Verified:
    """Read a bundle from memory: thousands of changed files would keep the disk busy."""
    return BundleReader(Container(io.BytesIO(data), len(data))).verify()


def members_of(path: Path) -> dict[str, bytes]:
    """Take all plaintexts out, with the ordinary zip reader."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def refresh(members: dict[str, bytes]) -> dict[str, bytes]:
    """Make the manifest agree again with changed members."""
    manifest = json.loads(members["manifest.json"])
    for member in manifest["members"]:
        plain = members.get(member["name"], b"")
        member["digest"] = hashlib.sha256(plain).hexdigest()
        member["length"] = len(plain)
    return members | {"manifest.json": canonical(manifest)}


def canonical(value: object) -> bytes:
    """Encode JSON canonically, on the domain where that is easy."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def relisted(members: dict[str, bytes], /, **changes) -> dict[str, bytes]:
    """Change fields of the manifest."""
    manifest = json.loads(members["manifest.json"])
    return members | {"manifest.json": canonical(manifest | changes)}


def raws(members: dict[str, bytes]) -> list[Raw]:
    """Prepare members for zipping, in order of their names, without the guard."""
    return [Raw(name.encode(), members[name]) for name in sorted(members) if name != GUARD]


def build(path: Path, members: dict[str, bytes] | list[Raw], *, guard: bool = True) -> Path:
    """Write a zip with a fitting guard, unless told to leave it out."""
    items = raws(members) if isinstance(members, dict) else list(members)
    out = io.BytesIO()
    directory = b""
    digests = b""
    for item in [*items, None] if guard else items:
        raw = item or Raw(GUARD.encode(), digests, method=0)
        offset = out.tell()
        packed = raw.packed
        if packed is None:
            packed = deflate(raw.plain) if raw.method == 8 else raw.plain
        fields = {
            "flags": raw.flags,
            "method": raw.method,
            "crc": zlib.crc32(raw.plain) if raw.crc is None else raw.crc,
            "packed": len(packed),
            "length": len(raw.plain) if raw.length is None else raw.length,
        }
        shown = fields | raw.local
        header = struct.pack(
            "<4s5H3I2H", b"PK\x03\x04", 20, shown["flags"], shown["method"], 0, 33, shown["crc"],
            shown["packed"], shown["length"], len(raw.name), len(raw.extra),
        )  # fmt: skip
        whole = header + raw.name + raw.extra
        out.write(whole + packed)
        digests += hashlib.sha256(whole + packed).digest()
        directory += struct.pack(
            "<4s6H3I5H2I", b"PK\x01\x02", 0x314, 20, fields["flags"], fields["method"], 0, 33,
            fields["crc"], fields["packed"], fields["length"], len(raw.name), len(raw.extra),
            len(raw.comment), 0, 0, raw.mode, offset,
        )  # fmt: skip
        directory += raw.name + raw.extra + raw.comment
    count = len(items) + guard
    end = (b"PK\x05\x06", 0, 0, count, count, len(directory), out.tell(), 0)
    path.write_bytes(out.getvalue() + directory + struct.pack("<4s4H2IH", *end))
    return path


def deflate(plain: bytes, level: int = 6) -> bytes:
    """Compress to a raw DEFLATE stream."""
    deflater = zlib.compressobj(level, zlib.DEFLATED, -15)
    return deflater.compress(plain) + deflater.flush()
