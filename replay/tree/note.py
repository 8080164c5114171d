"""Checkpoints as text: the C2SP signed note and the tree head it carries.

The one invariant: a checkpoint has exactly one spelling. What is parsed is what `body` would write,
byte for byte, so a signature over the body is a signature over origin, size and root and nothing
else. This module knows syntax only: whether a signature is good, and whose, is decided elsewhere.

Narrower than C2SP on purpose: origins and key names are printable ASCII, extension lines and
repeated keys are refused, and signatures may be absent: without a key, a note is the body alone.

Source: https://c2sp.org/signed-note and https://c2sp.org/tlog-checkpoint.
"""

import binascii
import re
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from replay.errors import ProofError
from replay.tree.merkle import EMPTY_ROOT, HASH_SIZE_BYTES, MAX_TREE_SIZE

__all__ = [
    "MAX_NAME_CHARACTERS",
    "MAX_NOTE_SIZE_BYTES",
    "MAX_SIGNATURES",
    "Checkpoint",
    "NoteSignature",
    "parse_checkpoint",
    "parse_note",
]

MAX_NAME_CHARACTERS: Final = 255
"""Longest origin or key name."""

MAX_SIGNATURES: Final = 32
"""Most signature lines; C2SP asks readers for at least 16."""

MAX_NOTE_SIZE_BYTES: Final = 256 * 1024
"""Longest note: room for every signature to be a post-quantum one of nearly 5 kB."""

KEY_ID_SIZE_BYTES: Final = 4
"""Length of the key id in front of every signature."""

# Printable ASCII without the space and the plus sign, which C2SP forbids in key names.
_NAME = re.compile(rf"[!-*,-~]{{1,{MAX_NAME_CHARACTERS}}}")
_SIZE = re.compile(rb"0|[1-9][0-9]{0,18}")
_CONTROL = re.compile(rb"[\x00-\x09\x0b-\x1f]")
_SIGNATURE_START: Final = "\u2014 ".encode()
_HINT: Final = "fetch the note again from where it was published; do not repair it by hand"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The head of one log at one size.

    Args:
        origin: Which log; 1 to 255 printable ASCII characters, no space and no plus sign.
        size: Number of leaves.
        root: Root of the tree over them, 32 bytes; the empty root if and only if size is 0.

    Raises:
        ProofError: A field is outside these bounds.
    """

    origin: str
    size: int
    root: bytes

    def __post_init__(self) -> None:
        if _NAME.fullmatch(self.origin) is None:
            raise _refused("the origin is not 1 to 255 printable ASCII characters")
        if not 0 <= self.size <= MAX_TREE_SIZE:
            raise _refused("the tree size is out of range")
        if len(self.root) != HASH_SIZE_BYTES:
            raise _refused("the root is not 32 bytes long")
        if (self.size == 0) != (self.root == EMPTY_ROOT):
            raise _refused("the empty root and the size 0 belong together")

    def body(self) -> bytes:
        """Writes the three lines that are signed."""
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n".encode()

    def note(self, signatures: Sequence["NoteSignature"] = ()) -> bytes:
        """Writes the body and, if there are any, a blank line and the signature lines."""
        if not signatures:
            return self.body()
        return self.body() + b"\n" + b"".join(signature.line() for signature in signatures)


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line: a claim to be checked, not yet a fact.

    Args:
        name: Name of the key; the same characters as an origin.
        key_id: 4 bytes that, with the name, tell which key and algorithm.
        signature: What the key made of the note's text (for a cosignature, with its time).

    Raises:
        ProofError: A field is outside these bounds, or the signature is empty.
    """

    name: str
    key_id: bytes
    signature: bytes

    def __post_init__(self) -> None:
        if _NAME.fullmatch(self.name) is None:
            raise _refused("a key name is not 1 to 255 printable ASCII characters without plus")
        if len(self.key_id) != KEY_ID_SIZE_BYTES:
            raise _refused("a key id is not 4 bytes long")
        if not self.signature:
            raise _refused("a signature is empty")

    def line(self) -> bytes:
        """Writes the line: em dash, name, base64 of key id and signature, newline."""
        blob = b64encode(self.key_id + self.signature)
        return b"%b%b %b\n" % (_SIGNATURE_START, self.name.encode(), blob)


def parse_checkpoint(data: bytes) -> tuple[Checkpoint, tuple[NoteSignature, ...]]:
    """Reads a checkpoint note, with or without signatures.

    The signatures are not verified: use the checkpoint only once they are, or once its root is
    recomputed from the records.

    Shape:
        result: the checkpoint; the signatures in their order in the note, one for each key.

    Raises:
        ProofError: The note is not byte for byte what `Checkpoint.note` writes.
    """
    _check_bytes(data)
    text, signatures = parse_note(data) if b"\n\n" in data else (data, ())
    lines = text.split(b"\n")
    if len(lines) != 4 or lines[3]:
        raise _refused("a checkpoint is origin, size and root, each on a line of its own")
    origin, size, root = lines[:3]
    if not origin.isascii():
        raise _refused("the origin is not 1 to 255 printable ASCII characters")
    if _SIZE.fullmatch(size) is None:
        raise _refused("the tree size is not a decimal number in its shortest form")
    return Checkpoint(origin.decode(), int(size), _decode_base64(root)), signatures


def parse_note(data: bytes) -> tuple[bytes, tuple[NoteSignature, ...]]:
    """Reads a signed note of any text into the exact bytes that are signed, and the signatures.

    The text is hostile until a signature is verified.

    Shape:
        result: the text with its final newline; at least one signature, in order, no key twice.

    Raises:
        ProofError: The bytes are no signed note, or exceed the limits of this module.
    """
    _check_bytes(data)
    text, blank, tail = data.rpartition(b"\n\n")
    if not blank:
        raise _refused("the note has no blank line before its signatures")
    if not text:
        raise _refused("the note has no text")
    if tail.count(b"\n") > MAX_SIGNATURES:
        raise _refused(f"the note has more than {MAX_SIGNATURES} signatures")
    signatures = tuple(_parse_signature(line) for line in tail.split(b"\n")[:-1])
    if not signatures:
        raise _refused("the note has no signature after its blank line")
    if len({(each.name, each.key_id) for each in signatures}) != len(signatures):
        raise _refused("the note has two signatures of one key")
    return text + b"\n", signatures


def _parse_signature(line: bytes) -> NoteSignature:
    name, space, blob = line.removeprefix(_SIGNATURE_START).partition(b" ")
    if not line.startswith(_SIGNATURE_START) or not space or not name.isascii():
        raise _refused("a signature line is not: em dash, key name, base64")
    decoded = _decode_base64(blob)
    return NoteSignature(name.decode(), decoded[:KEY_ID_SIZE_BYTES], decoded[KEY_ID_SIZE_BYTES:])


def _decode_base64(text: bytes) -> bytes:
    """Decodes standard base64 and refuses every spelling but the one that encoding gives."""
    try:
        decoded = b64decode(text, validate=True)
    except binascii.Error as error:
        raise _refused("a line is not base64") from error
    if b64encode(decoded) != text:  # stray bits in the last character, or inner padding
        raise _refused("a line is not canonical base64")
    return decoded


def _check_bytes(data: bytes) -> None:
    """Bounds the note before anything splits it, and refuses what no note may contain."""
    if len(data) > MAX_NOTE_SIZE_BYTES:
        raise _refused(f"the note is longer than {MAX_NOTE_SIZE_BYTES} bytes")
    if not data.endswith(b"\n"):
        raise _refused("the note does not end in a newline")
    if _CONTROL.search(data):
        raise _refused("the note contains a control character other than newline")
    try:
        data.decode()
    except UnicodeDecodeError as error:
        raise _refused("the note is not UTF-8") from error


def _refused(message: str) -> ProofError:
    return ProofError(message, hint=_HINT)
