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
NAME = re.compile(r"(headers|refs|parts|workspace)/(\d{12})-(\d{12})\.(jsonl|bin)", re.ASCII)
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
    following = dict.fromkeys(["headers", "refs", "parts", "workspace"], 0)
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
    need(following["headers"] == following["refs"] == manifest["size"], "records")
    return manifest


def read_checkpoint(raw: bytes, manifest: dict) -> None:
    body, blank, signatures = raw.partition(b"\n\n")
    root = base64.b64encode(bytes.fromhex(manifest["root"])).decode()
    expected = f"{manifest['origin']}\n{manifest['size']}\n{root}\n".encode()
    need(body + b"\n" * bool(blank) == expected and len(raw) <= MIB // 4, "checkpoint")
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


def read_header(raw: bytes, seq: int) -> dict:
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
    need(whole(header["v"], 1, 1) and header["seq"] == seq, "version or seq")
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
            elif kind == "workspace":
                at += 1 + plain[at]
                need(shaped("[A-Za-z]{1,40}", plain[start + 1 : at].decode("ascii")), "kind")
                at += 4 + struct.unpack_from("<I", plain, at)[0]
                yield position, plain[start:at]
            else:
                state, salted = plain[at : at + 2]
                salt = plain[at + 2 : at + 2 + salted]
                need(state < 4 and salted in {0, 16} and not (state == 1 and salted), "state")
                commitment, size, seq = struct.unpack_from("<32sQQ", plain, at + 2 + salted)
                at += 50 + salted
                if state == 0:
                    data = plain[at : at + size]
                    at += size
                    context = blake3(salt + data, derive_key_context="ritornello part v1")
                    need(context.digest() == commitment, "part commitment")
                yield struct.pack("<Q", size) + commitment, seq, data if state == 0 else None
            need(at <= len(plain), "frame cut short")
        need(at == len(plain), "bytes left")


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
        for ref in refs:
            need(ref <= brought < len(parts) or ref < brought, "part order")
            if ref == brought:
                need(parts[ref][1] == seq, "brought by another")
                brought += 1
        listed = b"".join(parts[ref][0] for ref in refs)
        digest = blake3(listed, derive_key_context="ritornello payload v1").hexdigest()
        need(refs and digest == header["commitment"], "payload commitment")
        sizes = [int.from_bytes(parts[ref][0][:8], "little") for ref in refs]
        need(sum(sizes) == header["size"], "payload size")
        if seq == 0:
            need(header["kind"] == "RunStarted", "first kind")
            pieces = [parts[ref][2] for ref in refs]
            if None not in pieces:
                run = json.loads(b"".join(pieces))["run"]
                need(manifest["origin"] == "ritornello/run/" + run, "run id")
        sealed = header["kind"] == "RunSealed"
        need(not sealed or seq == manifest["size"] - 1, "behind the seal")
        leaves.append(hashlib.sha256(b"\0ritornello/event/v1\0" + raw).digest())
    need(brought == len(parts), "parts left over")
    need(root_of(leaves).hex() == manifest["root"], "root")
    need(sealed == manifest["sealed"], "sealed")
    for _ in frames(members, "workspace"):
        pass
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
