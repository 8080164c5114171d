"""A second reader of bundles, written from bundles/FORMAT.md alone.

It imports nothing of the engine: the standard library and BLAKE3. It says of a file that it holds,
or refuses it; it makes no effort to say where, and reads the whole file into memory.
"""

import base64
import hashlib
import json
import re
import struct
import sys
import zlib
from pathlib import Path

from blake3 import blake3

MIB = 1 << 20
KINDS = ["headers", "parts", "refs", "statements", "workspace"]
NAME = re.compile(rf"({'|'.join(KINDS)})/(\d{{12}})-(\d{{12}})\.(jsonl|bin)", re.ASCII)
COUNTS = ["answers", "callbacks", "index", "lamport", "origin", "part", "participant", "principal"]
COUNTS += ["resource", "seq", "size", "task", "time"]
REQUIRED = {"causes", "commitment", "index", "kind", "lamport", "media", "participant", "seq"}
REQUIRED |= {"size", "task", "time", "v"}
CHOICES = {
    "media": ["json", "framed"],
    "outcome": ["ok", "error", "cancelled", "timeout"],
    "trigger": ["start", "delivery", "timer", "busy"],
}
SHAPES = {
    "origin": "ritornello/run/[0-9A-Za-z_-]{1,64}",
    "engine": "[0-9A-Za-z.+!_-]{1,64}",
    "root": "[0-9a-f]{64}",
    "kind": "run",
}


class RefusedError(Exception):
    """The file is not a bundle that holds."""


def need(condition: object, why: str) -> None:
    if not condition:
        raise RefusedError(why)


def canonical(raw: bytes) -> dict:
    value = json.loads(raw)
    need(json.dumps(value, sort_keys=True, separators=(",", ":")).encode() == raw, "canonical")
    need(isinstance(value, dict), "object")
    return value


def whole(value: object, low: int = 0, high: int = 2**53 - 1) -> bool:
    return type(value) is int and low <= value <= high


def shaped(pattern: str, value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(pattern, value, re.ASCII) is not None


def cut(name: str) -> tuple[str, int, int]:
    match = NAME.fullmatch(name)
    need(match and (match[1] == "headers") == (match[4] == "jsonl"), "name")
    first, last = int(match[2]), int(match[3])
    need(first <= last, "range")
    return match[1], first, last


def unzip(data: bytes) -> dict[str, bytes]:
    need(22 <= len(data) <= 0xFFFFFFFE, "file size")
    count, size, start = struct.unpack("<H2I", data[-12:-2])
    need(data[-22:] == struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, count, count, size, start, 0), "e")
    need(start + size + 22 == len(data) and 2 <= count <= 16386, "directory")
    at, position, guards = start, 0, b""
    names: list[str] = []
    members: dict[str, bytes] = {}
    for _ in range(count):
        need(at + 46 <= len(data) - 22, "entry")
        method, crc, packed, length, named = struct.unpack_from("<H4x3IH", data, at + 10)
        raw_name = data[at + 46 : at + 46 + named]
        sizes = (crc, packed, length, named)
        fixed = struct.pack("<4s6H3I", b"PK\1\2", 0x314, 20, 0, method, 0, 33, *sizes[:3])
        fixed += struct.pack("<5H2I", named, 0, 0, 0, 0, 0x81800000, position) + raw_name
        need(at + len(fixed) <= len(data) - 22 and data[at : at + len(fixed)] == fixed, "entry")
        at += len(fixed)
        name = raw_name.decode("ascii")
        need(not names or name > names[-1], "order")
        if name not in {"checkpoint.note", "manifest.json", "zip.sha256"}:
            cut(name)
        need(method in {0, 8} and length <= 64 * MIB and length <= packed * 250, "sizes")
        need(packed <= length + (length >> 10) + 64 and (method or packed == length), "sizes")
        local = struct.pack("<4s5H3I2H", b"PK\3\4", 20, 0, method, 0, 33, *sizes, 0) + raw_name
        end = position + len(local) + packed
        need(end <= start and data[position : position + len(local)] == local, "local header")
        body = data[position + len(local) : end]
        plain = body
        if method:
            inflater = zlib.decompressobj(-15)
            plain = inflater.decompress(body, length + 1)
            need(inflater.eof and not inflater.unused_data, "stream")
        need(len(plain) == length and zlib.crc32(plain) == crc, "plaintext")
        if name == "zip.sha256":
            need(method == 0 and plain == guards, "guard")
        guards += hashlib.sha256(data[position:end]).digest()
        members[name] = plain
        names.append(name)
        position = end
    need(position == start and at == len(data) - 22 and names[-1] == "zip.sha256", "coverage")
    return members


def read_manifest(raw: bytes, members: dict[str, bytes]) -> dict:
    need(len(raw) <= 4 * MIB, "manifest size")
    manifest = canonical(raw)
    need(whole(manifest.get("format"), 1, 1), "format")
    need(set(manifest) == {*SHAPES, "format", "members", "sealed", "size"}, "fields")
    need(all(shaped(shape, manifest[name]) for name, shape in SHAPES.items()), "fields")
    need(whole(manifest["size"], 1, 10**12) and type(manifest["sealed"]) is bool, "size")
    following = dict.fromkeys(KINDS, 0)
    listed = []
    for member in manifest["members"]:
        need(set(member) == {"digest", "kind", "length", "name"}, "member")
        name, length = member["name"], member["length"]
        need(name in members and name != "manifest.json" and name != "zip.sha256", "listed")
        need(whole(length, 1, 64 * MIB) and length == len(members[name]), "length")
        need(hashlib.sha256(members[name]).hexdigest() == member["digest"], "digest")
        listed.append(name)
        if name == "checkpoint.note":
            need(member["kind"] == "checkpoint", "kind")
            continue
        kind, first, last = cut(name)
        need(member["kind"] == kind and first == following[kind], "gap")
        need(length <= MIB or first == last, "limit")
        following[kind] = last + 1
    need(listed == sorted(set(listed)), "order")
    need({*listed, "manifest.json", "zip.sha256"} == set(members), "unlisted")
    need("checkpoint.note" in listed and len(listed) <= 16384, "checkpoint")
    need(max(following["statements"], following["workspace"]) <= 65536, "too much beside")
    need(following["headers"] == following["refs"] == manifest["size"], "records")
    return manifest


def read_note(raw: bytes) -> tuple[str, int, bytes]:
    body, blank, signatures = raw.partition(b"\n\n")
    found = re.fullmatch(b"([!-*,-~]{1,255})\n([1-9][0-9]{0,18})\n([0-9A-Za-z+/=]{44})\n?", body)
    need(found and body.endswith(b"\n") != bool(blank) and len(raw) <= MIB // 4, "note")
    size, root = int(found[2]), base64.b64decode(found[3], validate=True)
    need(base64.b64encode(root) == found[3] and len(root) == 32 and size < 2**63, "root")
    lines = signatures.split(b"\n")
    need(bool(signatures) == bool(blank) and lines.pop() == b"" and len(lines) <= 32, "signatures")
    keys = set()
    for line in lines:
        match = re.fullmatch("\u2014 ([!-*,-~]{1,255}) ([0-9A-Za-z+/=]+)".encode(), line)
        need(match, "signature")
        blob = base64.b64decode(match[2], validate=True)
        need(base64.b64encode(blob) == match[2] and len(blob) > 4, "signature")
        keys.add((match[1], blob[:4]))
    need(len(keys) == len(lines), "one signature for each key")
    return found[1].decode(), size, root


def read_checkpoint(raw: bytes, manifest: dict) -> None:
    expected = manifest["origin"], manifest["size"], bytes.fromhex(manifest["root"])
    need(read_note(raw) == expected, "checkpoint")


def read_header(raw: bytes, seq: int | None) -> dict:
    need(len(raw) <= MIB, "header size")
    header = canonical(raw)
    known = {*COUNTS, *CHOICES, *REQUIRED}
    need(set(header) >= REQUIRED and set(header) <= known, "header fields")
    need(all(whole(header[name]) for name in COUNTS if name in header), "count")
    need(isinstance(header["causes"], list) and all(map(whole, header["causes"])), "causes")
    need(all(header.get(name, values[0]) in values for name, values in CHOICES.items()), "choice")
    need(header.get("outcome") != "ok" and header.get("trigger") != "delivery", "default written")
    need(shaped("[A-Za-z]{1,40}", header["kind"]), "kind")
    need(shaped("[0-9a-f]{64}", header["commitment"]), "commitment")
    need(whole(header["v"], 1, 1) and seq in {None, header["seq"]}, "version or seq")
    if seq is not None:
        held = [header.get(name, 0) for name in ("origin", "principal", "resource")]
        need(max(held) <= seq, "held by a later record")
    return header


def numbers(stored: bytes) -> list[int]:
    need(len(stored) <= 5 * MIB and (not stored or stored[-1] < 128), "list")
    pieces = re.findall(rb"[\x80-\xff]*[\x00-\x7f]", stored, re.DOTALL)
    need(all(len(piece) <= 9 for piece in pieces), "number")
    return [sum((byte & 127) << 7 * i for i, byte in enumerate(piece)) for piece in pieces]


def frames(members: dict[str, bytes], kind: str):
    for name in sorted(name for name in members if name.startswith(kind + "/")):
        _, first, last = cut(name)
        plain, at = members[name], 0
        for position in range(first, last + 1):
            start, data = at, b""
            if kind == "headers":
                at = plain.index(b"\n", at) + 1
                yield position, plain[start : at - 1]
            elif kind == "refs":
                at += 4 + struct.unpack_from("<I", plain, at)[0]
                yield position, plain[start + 4 : at]
            elif kind == "statements":
                at += 1 + plain[at]
                piece = "[a-z0-9][a-z0-9.+_-]{0,62}"
                need(shaped(f"{piece}/{piece}", plain[start + 1 : at].decode("ascii")), "type")
                size = struct.unpack_from("<I", plain, at)[0]
                at += 4 + size
                need(size, "empty statement")
                yield position, plain[start:at]
            elif kind == "workspace":
                form, size = struct.unpack_from("<BI", plain, at)
                at += 5 + size
                data = plain[start + 5 : at]
                need(form < 2 and at < len(plain) + (form == 0), "frame of the workspace")
                parts = proof = None
                if form:
                    (count,) = struct.unpack_from("<I", plain, at)
                    at, parts = at + 4, []
                    while len(parts) < count:
                        part, at = read_part(plain, at, ordered=False)
                        parts.append(part)
                    proof = plain[at + 1 : at + 1 + 32 * plain[at]]
                    at += 1 + 32 * plain[at]
                yield data, parts, proof
            else:
                (listed, part), at, seq = read_part(plain, at, ordered=True)
                yield listed, seq, part
            need(at <= len(plain), "frame cut short")
        need(at == len(plain), "bytes left")


def read_part(plain: bytes, at: int, *, ordered: bool) -> tuple:
    state, salted = plain[at : at + 2]
    salt = plain[at + 2 : at + 2 + salted]
    need(state < 4 and salted in {0, 16} and not (state == 1 and salted), "state")
    commitment, size = struct.unpack_from("<32sQ", plain, at + 2 + salted)
    at += 42 + salted
    seq = struct.unpack_from("<Q", plain, at) if ordered else ()
    at += 8 * ordered
    if state:
        return (struct.pack("<Q", size) + commitment, None), at, *seq
    data = plain[at : at + size]
    context = blake3(salt + data, derive_key_context="ritornello part v1")
    need(context.digest() == commitment and len(data) == size, "part commitment")
    return (struct.pack("<Q", size) + commitment, data), at + size, *seq


def check_payload(header: dict, parts: list) -> bytes | None:
    listed = b"".join(each for each, _ in parts)
    digest = blake3(listed, derive_key_context="ritornello payload v1").hexdigest()
    need(parts and digest == header["commitment"], "payload commitment")
    sizes = [int.from_bytes(each[:8], "little") for each, _ in parts]
    need(sum(sizes) == header["size"], "payload size")
    pieces = [data for _, data in parts]
    return None if None in pieces else b"".join(pieces)


def read_beside(members: dict[str, bytes], manifest: dict) -> dict[int, list]:
    """Read statements and excerpts; return which roots they name for which sizes of the run."""
    said = [frame for _, frame in frames(members, "statements")]
    need(said == sorted(set(said)), "order of statements")
    run, origin, last, claims = manifest["origin"][15:], "", 0, {}
    for data, parts, proof in frames(members, "workspace"):
        if parts is None:
            note = read_note(data)
            need(shaped("ritornello/workspace/[0-9A-Za-z_-]{1,64}", note[0]), "origin")
            need(note[0] > origin and last is not None, "order of notes")
            (origin, size, root), last = note, None
            continue
        need(origin, "record before a note")
        header = read_header(data, None)
        kind, seq = header["kind"], header["seq"]
        need((seq, kind) == (0, "WorkspaceCreated") if last is None else seq > last, "order")
        last = seq
        leaf = hashlib.sha256(b"\0ritornello/workspace/v1\0" + data).digest()
        path = [proof[at : at + 32] for at in range(0, len(proof), 32)]
        need(seq < size and climb(leaf, seq, size, path) == root and not path, "inclusion")
        payload = check_payload(header, parts)
        if payload is None:
            continue
        value = json.loads(payload.decode())
        need(
            isinstance(value, dict) and value["kind"] == kind and value.get("run") in {None, run},
            "payload",
        )
        if seq == 0:
            need(origin == "ritornello/workspace/" + value["workspace"], "workspace")
        if kind in {"RunClosed", "RunExported", "RunImported", "RunResumed"}:
            need(value["run"] == run and whole(value["size"], 0, manifest["size"]), "head")
            claims.setdefault(value["size"], []).append(value["root"])
    need(last is not None, "note without a record")
    return claims


def climb(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """Return the root over ``size`` leaves; takes the siblings that it needs off the path."""
    if size == 1:
        return leaf
    split = 1 << (size - 1).bit_length() - 1
    if index < split:
        left = climb(leaf, index, split, path)
        need(path, "proof too short")
        return node(left, path.pop(0))
    right = climb(leaf, index - split, size - split, path)
    need(path, "proof too short")
    return node(path.pop(0), right)


def node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def root_of(leaves: list[bytes]) -> bytes:
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return node(root_of(leaves[:split]), root_of(leaves[split:]))


def verify(data: bytes) -> dict:
    """Verify a bundle; return its manifest, or raise whatever was noticed first."""
    members = unzip(data)
    need("manifest.json" in members, "manifest")
    manifest = read_manifest(members["manifest.json"], members)
    read_checkpoint(members["checkpoint.note"], manifest)
    claims = read_beside(members, manifest)
    parts, brought, paths, leaves, live, total = list(frames(members, "parts")), 0, {}, [], 0, 0
    pairs = zip(frames(members, "headers"), frames(members, "refs"), strict=True)
    for (seq, raw), (_, stored) in pairs:
        header = read_header(raw, seq)
        path = (header["task"], header["kind"])
        before = paths.get(path, [])
        front, back, count, *fresh = numbers(stored)
        need(count == len(fresh) and front + back <= len(before), "list")
        refs = before[:front] + fresh + before[len(before) - back :]
        live, total = live + len(refs) - len(before), total + len(refs)
        need(len(refs) <= 1 << 20 and live <= 1 << 23 and total <= 1 << 29, "list limit")
        paths[path] = refs
        if header["kind"] == "TaskEnded":
            for key in [key for key in paths if key[0] == header["task"]]:
                live -= len(paths.pop(key))
        for ref in refs:
            need(ref <= brought < len(parts) or ref < brought, "part order")
            if ref == brought:
                need(parts[ref][1] == seq, "brought by another")
                brought += 1
        payload = check_payload(header, [(parts[ref][0], parts[ref][2]) for ref in refs])
        if seq == 0:
            need(header["kind"] == "RunStarted", "first kind")
            if payload is not None:
                run = json.loads(payload.decode())["run"]
                need(manifest["origin"] == "ritornello/run/" + run, "run id")
        sealed = header["kind"] == "RunSealed"
        need(not sealed or seq == manifest["size"] - 1, "behind the seal")
        leaves.append(hashlib.sha256(b"\0ritornello/event/v1\0" + raw).digest())
    need(brought == len(parts), "parts left over")
    need(root_of(leaves).hex() == manifest["root"], "root")
    need(sealed == manifest["sealed"], "sealed")
    for size, roots in claims.items():
        root = root_of(leaves[:size]) if size else hashlib.sha256(b"").digest()
        need(set(roots) == {root.hex()}, "another root in the workspace")
    return manifest


def holds(path: Path) -> bool:
    """Say whether a bundle holds. Whatever goes wrong in reading is a refusal."""
    try:
        verify(path.read_bytes())
    except (RefusedError, ValueError, TypeError, LookupError, RecursionError):
        return False
    except (struct.error, zlib.error):
        return False
    return True


if __name__ == "__main__":
    sys.exit(0 if holds(Path(sys.argv[1])) else 3)
