"""Checkpoint notes: the published examples, one spelling only, and hostile ones."""

import dataclasses
from base64 import b64decode, b64encode

import pytest

from replay.errors import ProofError
from replay.tree import EMPTY_ROOT, Checkpoint, NoteSignature, parse_checkpoint, parse_note
from replay.tree.note import MAX_NOTE_SIZE_BYTES, MAX_SIGNATURES

ROOT_TEXT = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="
CHECKPOINT = Checkpoint("example.com/behind-the-sofa", 20852163, b64decode(ROOT_TEXT))
BODY = f"example.com/behind-the-sofa\n20852163\n{ROOT_TEXT}\n"
BLOB = (
    "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8="
)
LINE = f"— example.com/behind-the-sofa {BLOB}\n"
POEM = "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n"
POEM_BLOB = (
    "NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc="
)


def signature(name="witness.example/w1", key_id=b"\x00\x01\x02\x03", content=b"s" * 64):
    return NoteSignature(name, key_id, content)


def test_the_published_checkpoint_is_read():
    blob = b64decode(BLOB)

    checkpoint, signatures = parse_checkpoint((BODY + "\n" + LINE).encode())

    assert checkpoint == CHECKPOINT
    assert signatures == (NoteSignature("example.com/behind-the-sofa", blob[:4], blob[4:]),)


def test_the_published_checkpoint_is_written_byte_for_byte():
    checkpoint, signatures = parse_checkpoint((BODY + "\n" + LINE).encode())

    assert checkpoint.body() == BODY.encode()
    assert checkpoint.note(signatures) == (BODY + "\n" + LINE).encode()


def test_the_published_note_is_cut_at_its_last_blank_line():
    text, signatures = parse_note(f"{POEM}\n— quasimodo.example/salvatore {POEM_BLOB}\n".encode())

    assert text == POEM.encode()
    assert [each.name for each in signatures] == ["quasimodo.example/salvatore"]
    assert signatures[0].key_id.hex() == "367ba04b"
    assert len(signatures[0].signature) == 64


def test_without_a_key_a_note_is_the_body_alone():
    assert CHECKPOINT.note() == BODY.encode()
    assert parse_checkpoint(BODY.encode()) == (CHECKPOINT, ())


def test_the_empty_log_has_a_checkpoint():
    checkpoint = Checkpoint("log.example/run/1", 0, EMPTY_ROOT)

    assert checkpoint.body() == (
        b"log.example/run/1\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"
    )
    assert parse_checkpoint(checkpoint.body()) == (checkpoint, ())


def test_signatures_keep_their_order():
    signatures = (signature("b.example"), signature("a.example"), signature("c.example"))

    assert parse_checkpoint(CHECKPOINT.note(signatures))[1] == signatures


def test_keys_that_share_only_a_name_or_only_an_id_are_different_keys():
    signatures = (
        signature("a.example", b"0000"),
        signature("a.example", b"1111"),
        signature("b.example", b"0000"),
    )

    assert parse_checkpoint(CHECKPOINT.note(signatures))[1] == signatures


def test_the_largest_allowed_number_of_post_quantum_signatures_is_read():
    signatures = tuple(
        signature(f"w{i}.example", content=b"s" * 5000) for i in range(MAX_SIGNATURES)
    )

    assert parse_checkpoint(CHECKPOINT.note(signatures))[1] == signatures


def test_a_checkpoint_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        CHECKPOINT.size = 1  # type: ignore[misc]  # that it is read-only is the point


def with_size(text):
    return f"example.com/log\n{text}\n{ROOT_TEXT}\n"


def with_root(text):
    return f"example.com/log\n1\n{text}\n"


def with_origin(text):
    return f"{text}\n1\n{ROOT_TEXT}\n"


def signed(*lines):
    return BODY + "\n" + "".join(lines)


HOSTILE = {
    "nothing": "",
    "a newline": "\n",
    "two newlines": "\n\n",
    "only signatures": "\n" + LINE,
    "only a blank line before signatures": "\n\n" + LINE,
    "no final newline": BODY[:-1],
    "missing root": "example.com/log\n1\n",
    "carriage returns": BODY.replace("\n", "\r\n"),
    "carriage return in the middle": BODY.replace("20852163", "20852163\r"),
    "tab": BODY.replace("behind", "\tbehind"),
    "nul": BODY.replace("behind", "\0behind"),
    "escape": BODY.replace("behind", "\x1b[31mbehind"),
    "delete": BODY.replace("behind", "\x7fbehind"),
    "byte order mark": "\ufeff" + BODY,
    "extension line": BODY + "timestamp 1700000000\n",
    "blank first line": "\n" + BODY,
    "blank last line": BODY + "\n",
    "two blank lines before signatures": BODY + "\n\n" + LINE,
    "trailing text after signatures": signed(LINE, "trailing\n"),
    "trailing newline after signatures": signed(LINE, "\n"),
    "second signature block": signed(LINE, "\n", LINE),
    "empty origin": with_origin(""),
    "space in origin": with_origin("example.com/log 1"),
    "no-break space in origin": with_origin("example.com/log\u00a01"),
    "plus in origin": with_origin("example.com/log+1"),
    "homoglyph in origin": with_origin("ex\u0430mple.com/log"),
    "bidirectional override in origin": with_origin("example.com/\u202egol"),
    "line separator in origin": with_origin("example.com/log\u2028"),
    "long origin": with_origin("a" * 256),
    "empty size": with_size(""),
    "leading zero": with_size("01"),
    "double zero": with_size("00"),
    "plus": with_size("+5"),
    "minus": with_size("-5"),
    "space before size": with_size(" 5"),
    "space after size": with_size("5 "),
    "underscore": with_size("1_000"),
    "decimal point": with_size("5.0"),
    "exponent": with_size("5e3"),
    "hexadecimal": with_size("0x5"),
    "foreign digits": with_size("\u0665"),
    "size above 63 bits": with_size("9223372036854775808"),
    "huge size": with_size("1" + "0" * 30),
    "million digits": with_size("1" * 100_000),
    "size zero with a root": with_size("0"),
    "size with the empty root": with_root("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="),
    "empty root line": with_root(""),
    "31-byte root": with_root(b64encode(bytes(31)).decode()),
    "33-byte root": with_root(b64encode(bytes(33)).decode()),
    "root without padding": with_root(ROOT_TEXT[:-1]),
    "root with more padding": with_root(ROOT_TEXT + "="),
    "root with stray bits": with_root(ROOT_TEXT[:-2] + "J="),
    "root in the URL alphabet": with_root(ROOT_TEXT.replace("/", "_")),
    "space inside root": with_root(ROOT_TEXT[:10] + " " + ROOT_TEXT[10:]),
    "space after root": with_root(ROOT_TEXT + " "),
    "padding inside root": with_root(ROOT_TEXT[:8] + "====" + ROOT_TEXT[8:]),
    "hyphen for em dash": signed(LINE.replace("—", "-")),
    "en dash for em dash": signed(LINE.replace("—", "\u2013")),
    "no space after dash": signed(LINE.replace("— ", "—")),
    "two spaces after dash": signed(LINE.replace("— ", "—  ")),
    "no-break space after dash": signed(LINE.replace("— ", "—\u00a0")),
    "two spaces after name": signed(LINE.replace(" Az", "  Az")),
    "nothing after name": signed("— example.com/log\n"),
    "no name": signed(f"— {BLOB}\n"),
    "empty name": signed(f"—  {BLOB}\n"),
    "plus in name": signed(f"— a+b {BLOB}\n"),
    "homoglyph in name": signed(f"— ex\u0430mple.com {BLOB}\n"),
    "long name": signed(f"— {'a' * 256} {BLOB}\n"),
    "third field": signed(LINE[:-1] + " more\n"),
    "key id only": signed(f"— a {b64encode(bytes(4)).decode()}\n"),
    "short key id": signed(f"— a {b64encode(bytes(3)).decode()}\n"),
    "signature not base64": signed("— a !!!!!!!!\n"),
    "signature without padding": signed(LINE[:-2] + "\n"),
    "signature with stray bits": signed(LINE[:-3] + "9=\n"),
    "signature cut off": signed(LINE[:-1]),
    "one key twice": signed(LINE, LINE),
    "one key twice, another signature": signed(
        signature(content=b"a").line().decode(), signature(content=b"b").line().decode()
    ),
    "too many signatures": signed(
        *(signature(f"w{i}.example").line().decode() for i in range(MAX_SIGNATURES + 1))
    ),
    "ten thousand signatures": signed(*("— a AAAAAAA=\n" for _ in range(10_000))),
    "longer than any note": BODY + "\n" + "— a " + "A" * MAX_NOTE_SIZE_BYTES + "\n",
    "only newlines": "\n" * 100_000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_checkpoint_is_refused(text):
    with pytest.raises(ProofError):
        parse_checkpoint(text.encode())


@pytest.mark.parametrize("data", [b"\xff\n1\n", b"\xed\xa0\x80\n1\n" + ROOT_TEXT.encode() + b"\n"])
def test_bytes_that_are_not_utf_8_are_refused(data):
    with pytest.raises(ProofError):
        parse_checkpoint(data)


def test_a_name_that_is_not_utf_8_is_refused_in_a_signature_line():
    with pytest.raises(ProofError):
        parse_checkpoint((BODY + "\n").encode() + b"\xe2\x80\x94 \xff AAAAAAA=\n")


@pytest.mark.parametrize("text", ["text\n", "text\n\n", "\n\n" + LINE, "text\n" + LINE])
def test_a_note_of_any_text_needs_text_a_blank_line_and_a_signature(text):
    with pytest.raises(ProofError):
        parse_note(text.encode())


@pytest.mark.parametrize("control", [chr(code) for code in range(32) if code != 10])
def test_a_signed_text_with_a_control_character_is_refused(control):
    with pytest.raises(ProofError):
        parse_note(f"hidden {control} text\n\n{LINE}".encode())


def test_a_refused_note_says_what_to_try():
    with pytest.raises(ProofError) as caught:
        parse_checkpoint(with_size("01").encode())

    assert caught.value.hint in caught.value.diagnostics()
    assert caught.value.hint


@pytest.mark.parametrize(
    ("origin", "size", "root"),
    [
        ("", 1, bytes(32)),
        ("two words", 1, bytes(32)),
        ("two\nlines", 1, bytes(32)),
        ("final\n", 1, bytes(32)),
        ("a+b", 1, bytes(32)),
        ("caf\u00e9", 1, bytes(32)),
        ("log", -1, bytes(32)),
        ("log", 2**63, bytes(32)),
        ("log", 1, bytes(31)),
        ("log", 0, bytes(32)),
        ("log", 1, EMPTY_ROOT),
    ],
)
def test_no_checkpoint_is_made_that_could_not_be_read_back(origin, size, root):
    with pytest.raises(ProofError):
        Checkpoint(origin, size, root)


@pytest.mark.parametrize(
    ("name", "key_id", "content"),
    [
        ("", b"0000", b"s"),
        ("a b", b"0000", b"s"),
        ("a+b", b"0000", b"s"),
        ("a\n", b"0000", b"s"),
        ("a", b"000", b"s"),
        ("a", b"00000", b"s"),
        ("a", b"0000", b""),
    ],
)
def test_no_signature_line_is_made_that_could_not_be_read_back(name, key_id, content):
    with pytest.raises(ProofError):
        NoteSignature(name, key_id, content)
