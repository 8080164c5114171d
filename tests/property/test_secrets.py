"""Laws of scrubbing: a stream, a whole text and a replay come to the same bytes."""

import base64
import json
import random
import string
from itertools import pairwise
from urllib.parse import quote, quote_plus

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from replay.secrets.patterns import Scrubber, Secret, SecretError, make_surrogate

LETTERS = string.ascii_letters + string.digits
SPECIAL = LETTERS + "-_./+=~:!?*()[]{}^$|&'\"\\% "
PREFIXES = ("", "", "sk-", "sk-proj-", "sk-ant-api03-", "ghp_", "github_pat_")


def entropy_of(seed):
    source = random.Random(seed)
    return source.randbytes


def replay_side(live):
    return Scrubber(
        Secret(
            number=secret.number,
            source=secret.source,
            value=None,
            surrogate=secret.surrogate,
            public=secret.public,
        )
        for secret in live.secrets
    )


def live_side(values, seed):
    live = Scrubber()
    for number, value in enumerate(values):
        surrogate, public = make_surrogate(value, entropy_of((seed << 8) + number), live.secrets)
        live.add(
            Secret(number=number, source=None, value=value, surrogate=surrogate, public=public)
        )
    return live


@st.composite
def keys(draw, alphabet=SPECIAL, minimum=22, maximum=60):
    """Random text, as keys are: hypothesis chooses the seed, not the letters."""
    prefix = draw(st.sampled_from(PREFIXES))
    length = draw(st.integers(minimum, maximum)) + len(prefix)
    source = random.Random(draw(st.integers(0, 2**32)))
    body = "".join(source.choice(alphabet) for _ in range(length))
    return prefix + body


@st.composite
def lives(draw):
    """A live scrubber of one to three secrets; some inside, or the beginning of, another."""
    values = [draw(keys())]
    for relation in draw(
        st.lists(st.sampled_from(("own", "longer", "inside", "twin")), max_size=2)
    ):
        first = values[0]
        if relation == "own":
            values.append(draw(keys()))
        elif relation == "longer":
            values.append(first + draw(keys(LETTERS)))
        elif relation == "inside":
            values.append("Bearer " + first)
        else:
            cut = draw(st.integers(0, len(first) - 1))
            values.append(first[:cut] + draw(keys(LETTERS)))
    try:
        return live_side(list(dict.fromkeys(values)), draw(st.integers(0, 2**32)))
    except SecretError:
        assume(False)


def spelled_json(value, source):
    def one(char):
        if char == "\\":
            return source.choice((r"\\", r"\u005c", r"\u005C"))
        if char == "/" and source.random() < 0.5:
            return r"\/"
        if char == '"':
            return r"\""
        if source.random() < 0.3:
            return source.choice((r"\u%04x", r"\u%04X")) % ord(char)
        return char

    return "".join(map(one, value))


def spelled_percent(value, source):
    def one(char):
        if char == "%" or source.random() < 0.4:
            return source.choice(("%%%02x", "%%%02X")) % ord(char)
        return source.choice("+ ") if char == " " else char

    return "".join(map(one, value))


def spelled_base64(value, source):
    before = "u" * source.randrange(4)
    after = "w" * source.randrange(4)
    encode = source.choice((base64.b64encode, base64.urlsafe_b64encode))
    token = encode((before + value + after).encode()).decode()
    return token.rstrip("=") if source.random() < 0.5 else token


SPELLINGS = {
    "raw": lambda value, source: value,
    "json": spelled_json,
    "percent": spelled_percent,
    "hex": lambda value, source: value.encode().hex(),
    "HEX": lambda value, source: value.encode().hex().upper(),
    "base64": spelled_base64,
}
FILLERS = st.text(alphabet='abz AZ09 {}":,\\/%\n-_=', max_size=12)


@st.composite
def texts(draw, live):
    """Text that holds secrets in any spelling, whole, next to one another or to filler."""
    source = random.Random(draw(st.integers(0, 2**32)))
    parts = [draw(FILLERS)]
    for _ in range(draw(st.integers(1, 3))):
        secret = draw(st.sampled_from(live.secrets))
        spelling = SPELLINGS[draw(st.sampled_from(sorted(SPELLINGS)))]
        parts += [spelling(secret.value, source), draw(st.sampled_from(("", " ", '"', "\n")))]
        parts.append(draw(FILLERS))
    return "".join(parts).encode()


@st.composite
def cut_texts(draw):
    live = draw(lives())
    text = draw(texts(live))
    if draw(st.booleans()):
        cuts = list(range(1, len(text)))
    else:
        cuts = sorted(draw(st.sets(st.integers(0, len(text)), max_size=8)))
    edges = [0, *cuts, len(text)]
    return live, text, [text[a:b] for a, b in pairwise(edges)]


@given(cut_texts())
@settings(deadline=None)
def test_chunks_scrubbed_at_once_come_to_what_the_whole_text_comes_to(case):
    live, text, chunks = case
    stream = live.stream()

    put = [stream.feed(chunk) for chunk in chunks]

    assert [len(chunk) for chunk in put] == [len(chunk) for chunk in chunks]
    assert replay_side(live).scrub(b"".join(put)) == live.scrub(text)


@given(cut_texts())
@settings(deadline=None)
def test_scrubbing_twice_is_scrubbing_once_and_leaves_no_value(case):
    live, text, _ = case

    once = live.scrub(text)

    assert len(once) == len(text)
    assert live.scrub(once) == once
    assert replay_side(live).scrub(once) == once
    assert live.suspects(once) == ()
    assert live.suspects(text) != ()


WRITERS = (
    lambda value: value.encode(),
    lambda value: json.dumps({"key": value, "note": 'a "b" \\ c'}).encode(),
    lambda value: json.dumps(value).replace("/", "\\/").encode(),
    lambda value: b"https://host/?key=" + quote(value, safe="").encode() + b"&x=1",
    lambda value: b"key=" + quote_plus(value).encode(),
    lambda value: value.encode().hex().encode(),
    lambda value: value.encode().hex().upper().encode(),
    lambda value: b"Basic " + base64.b64encode(value.encode()),
    lambda value: b"Basic " + base64.b64encode(b"user:" + value.encode() + b"\n"),
    lambda value: b"Basic " + base64.urlsafe_b64encode(b"u:" + value.encode() + b"??"),
    lambda value: b"Basic " + base64.b64encode(b"me:" + value.encode()).rstrip(b"="),
    lambda value: f"{value}:{value}{value}".encode(),
    lambda value: value[:20].encode() + b"...",
)


@given(keys(), st.integers(0, 2**32), st.sampled_from(WRITERS))
@settings(deadline=None)
def test_what_a_program_writes_with_the_value_is_what_a_replay_writes_with_the_surrogate(
    value, seed, write
):
    live = live_side([value], seed)
    surrogate = live.secrets[0].surrogate

    assert live.scrub(write(value)) == replay_side(live).scrub(write(surrogate))


@given(keys(), st.integers(0, 2**32), st.sampled_from(WRITERS))
@settings(deadline=None)
def test_restoring_puts_back_the_bytes_that_the_value_would_have_made(value, seed, write):
    live = live_side([value], seed)
    surrogate = live.secrets[0].surrogate

    assert live.restore(write(surrogate)) == write(value)


@given(keys(minimum=12, maximum=80), st.integers(0, 2**32))
@settings(deadline=None)
def test_a_surrogate_has_the_shape_and_none_of_the_text_of_its_value(value, seed):
    try:
        surrogate, public = make_surrogate(value, entropy_of(seed))
    except SecretError:
        assume(sum(map(str.isalnum, value)) >= 12)
        raise

    assert len(surrogate) == len(value)
    assert surrogate[:public] == value[:public]
    for old, new in zip(value, surrogate, strict=True):
        assert new == old if not old.isalnum() else new.isalnum()
        assert (old.islower(), old.isupper()) == (new.islower(), new.isupper())
    for at in range(public, len(value) - 3):
        window = value[at : at + 4]
        if any(map(str.isalnum, window)):
            assert surrogate[at : at + 4] != window


@given(st.binary(max_size=300), keys(), st.integers(0, 2**32))
@settings(deadline=None)
def test_other_bytes_pass_unchanged(data, value, seed):
    live = live_side([value], seed)

    assert live.scrub(data) is data
    assert live.stream().feed(data) is data
