"""What is said to a witness has one spelling."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attestations.errors import NoteError
from attestations.witness import parse_cosignatures, parse_submission
from attestations.witness.protocol import SUBMISSION_SIZE_MAX, parse_size
from tests.support.witnessing import head, submission

BODY = submission(7, 3).encode()
LINE = BODY.split(b"\n")[1] + b"\n"


@pytest.mark.parametrize("old", [0, 3, 4, 7])
def test_what_is_sent_is_what_is_read(old):
    made = submission(7, old)

    assert parse_submission(made.encode()) == made


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "no blank line"),
        (b"old 0\n", "no blank line"),
        (BODY.replace(b"old 3", b"old 03"), "first line"),
        (BODY.replace(b"old 3", b"old  3"), "first line"),
        (BODY.replace(b"old 3", b"old -3"), "first line"),
        (BODY.replace(b"old 3", b"old 3\r"), "first line"),
        (BODY.replace(b"old 3", b"Old 3"), "first line"),
        (BODY.replace(b"old 3", b"old 99999999999999999999"), "first line"),
        (BODY.replace(b"old 3", b"old \xd9\xa3"), "first line"),
        (BODY.replace(LINE, b"!" + LINE[1:]), "not base64"),
        (BODY.replace(LINE, LINE[:-5] + b"\n"), "one hash|not base64"),
        (BODY.replace(LINE, LINE[:-3] + b"F=\n"), "canonical"),
        (BODY.replace(LINE, LINE * 64), "more than 63 lines"),
        (BODY.replace(b"\n7\n", b"\n07\n"), "tree size"),
        (BODY[:-1], "newline"),
        (BODY.replace(b"ritornello/run", b"ritornello run"), "origin"),
        (b"x" * (SUBMISSION_SIZE_MAX + 1), "longer than"),
    ],
)
def test_what_is_spelled_otherwise_is_refused(body, message):
    assert body != BODY

    with pytest.raises(NoteError, match=message):
        parse_submission(body)


@given(st.data())
def test_a_changed_byte_is_refused_or_another_submission(data):
    at = data.draw(st.integers(0, len(BODY) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda each: each != BODY[at]))
    changed = BODY[:at] + bytes([byte]) + BODY[at + 1 :]
    try:
        read = parse_submission(changed)
    except NoteError:
        return

    assert read.encode() == changed


@pytest.mark.parametrize("body", [b"", b"\n", b"7", b"07\n", b"7\n\n", b"-7\n", b"x\n", b"7 \n"])
def test_a_size_that_is_no_number_on_one_line_is_refused(body):
    with pytest.raises(NoteError, match="decimal"):
        parse_size(body)


@pytest.mark.parametrize(
    "lines", [b"", b"x\n", b"\n\n", b"\n" + head(1).body(), "\u2014 w AAAA\n".encode()]
)
def test_what_are_no_signature_lines_is_refused(lines):
    with pytest.raises(NoteError):
        parse_cosignatures(head(7), lines)
