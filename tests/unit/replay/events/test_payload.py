"""However a payload is cut, its pieces put together are the payload, byte for byte."""

from __future__ import annotations

import json
import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.errors import IntegrityError
from replay.events.kinds import EffectReturned, OutputWritten, RunEnded, TaskEnded
from replay.events.parts import PartTable
from replay.events.payload import decode_payload, encode_head, split

HEAD = encode_head(TaskEnded())

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=20,
)
CHATS = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(["model", "messages", "contents", "input", "tools"], JSON)
)


def whole(head, body):
    return head if body is None else head + b"\n" + body


def salt_for(ordinal):
    return bytes(16)


class TestSplitting:
    @given(st.binary(max_size=300), st.none() | st.binary(max_size=300))
    def test_pieces_of_any_bytes_are_the_payload(self, head, body):
        assert b"".join(split(head, body)) == whole(head, body)

    @given(CHATS, st.sampled_from([None, 1]), st.booleans())
    def test_pieces_of_any_chat_are_the_payload(self, chat, indent, ascii_only):
        body = json.dumps(chat, indent=indent, ensure_ascii=ascii_only).encode(
            "utf-8", "surrogatepass"
        )

        pieces = split(HEAD, body)

        assert b"".join(pieces) == whole(HEAD, body)
        assert all(pieces)

    @given(st.integers(0, 2**32), st.integers(0, 200_000), st.sampled_from([0, 1, 7, 500]))
    def test_pieces_of_long_bodies_are_the_payload_and_bounded(self, seed, size, blanks):
        choose = random.Random(seed)
        body = bytearray(choose.randbytes(size).replace(b" ", b"x").replace(b"\n", b"x"))
        for _ in range(blanks):
            if body:
                body[choose.randrange(len(body))] = 32

        pieces = split(HEAD, bytes(body))

        assert b"".join(pieces) == whole(HEAD, bytes(body))
        assert max(map(len, pieces)) <= 16 * 1024

    def test_a_small_payload_is_one_part(self):
        assert split(HEAD, None) == [HEAD]
        assert split(HEAD, b"") == [HEAD + b"\n"]
        assert split(HEAD, b"plain") == [HEAD + b"\nplain"]
        assert split(HEAD, bytes(1025)) == [HEAD + b"\n", bytes(1025)]

    @pytest.mark.parametrize("name", ["messages", "contents", "input"])
    def test_a_conversation_is_cut_at_its_messages(self, name):
        body = b'{"model":"m","%b":[{"a":1},{"b":2}],"stream":true}' % name.encode()

        assert split(HEAD, body)[1:] == [
            b'{"model":"m","%b":[' % name.encode(),
            b'{"a":1}',
            b',{"b":2}',
            b'],"stream":true}',
        ]

    @pytest.mark.parametrize(
        "body",
        [
            pytest.param(b'{"messages":[1,2],"messages":[1,2]}', id="a conversation twice"),
            pytest.param(b'{"messages":[1],"messages":[2,2]}', id="another conversation twice"),
            pytest.param(b'{"x":[1,2],"messages":[1,2]}', id="the same list before it"),
            pytest.param(b'{"messages":[1,11,1,1,11]}', id="elements within elements"),
            pytest.param(b'{"messages" : [ 1 , "a, b]" , [ ] ] }', id="white space"),
            pytest.param(b'{"messages":[]}', id="an empty list"),
            pytest.param(b'{"messages":"[1]"}', id="a text"),
            pytest.param(b'{"messages":null,"input":[1]}', id="null, then a list"),
            pytest.param(b'{"messages":[1,2]', id="no end"),
            pytest.param(b'{"messages":[1,2]}{"messages":[3]}', id="two documents"),
            pytest.param(b'{"messages":[1,,2]}', id="no JSON"),
            pytest.param(b'{"messages":["\xff"]}', id="no UTF-8"),
            pytest.param(b'{"\\u006dessages":[1,2]}', id="an escaped name"),
            pytest.param(b'{"messages":' + b"[" * 5000 + b"]" * 5000 + b"}", id="deep"),
            pytest.param(b'{"messages":' + b"[" * 200_000, id="too deep"),
            pytest.param(b"{" * 100_000, id="braces"),
            pytest.param(b'{"messages":[' + b"1," * 50_000 + b"1]}", id="many messages"),
            pytest.param(b'{"messages":[' + b"9" * 100_000 + b"]}", id="a huge number"),
        ],
    )
    def test_hostile_bodies_are_kept_exactly(self, body):
        assert b"".join(split(HEAD, body)) == whole(HEAD, body)

    def test_a_chat_of_two_hundred_messages_shares_all_but_the_new_ones(self):
        table = PartTable(salt_for)
        messages = [
            {"role": ("user", "assistant")[number % 2], "content": f"message {number} " * 30}
            for number in range(202)
        ]
        request = {"model": "m", "max_tokens": 100, "messages": messages[:200], "stream": True}
        table.commit(split(HEAD, json.dumps(request).encode()))

        request["messages"] = messages
        refs, brought, _, _ = table.commit(split(HEAD, json.dumps(request).encode()))

        assert len(refs) == 205
        assert [json.loads((part.data or b"").lstrip(b", ")) for part in brought] == messages[200:]

    def test_a_long_document_shares_all_but_the_changed_place(self):
        choose = random.Random(1)
        words = [f"word{choose.randrange(10**6)}" for _ in range(60_000)]
        table = PartTable(salt_for)
        first = table.commit(split(HEAD, " ".join(words).encode()))

        words.insert(30_000, "inserted")
        refs, brought, _, _ = table.commit(split(HEAD, " ".join(words).encode()))

        assert len(first[0]) > 30
        assert len(brought) <= 3
        assert len(refs) > 30

    def test_a_long_message_shares_all_but_the_changed_place(self):
        choose = random.Random(1)
        words = [f"word{choose.randrange(10**6)}" for _ in range(10_000)]
        table = PartTable(salt_for)
        for _ in range(2):
            message = {"role": "user", "content": " ".join(words)}
            body = json.dumps({"model": "m", "messages": [message]}).encode()
            _, brought, _, _ = table.commit(split(HEAD, body))
            words.insert(5_000, "inserted")

        assert len(brought) <= 3

    def test_text_without_blanks_is_cut_by_its_content_too(self):
        choose = random.Random(1)
        letters = [chr(choose.randrange(0x4E00, 0x9000)) for _ in range(60_000)]
        table = PartTable(salt_for)
        table.commit(split(HEAD, "".join(letters).encode()))

        letters.insert(30_000, "\u4e2d")
        _, brought, _, _ = table.commit(split(HEAD, "".join(letters).encode()))

        assert len(brought) <= 3

    def test_the_cuts_are_frozen(self):
        """A replay cuts again: another cut is another commitment, so a new splitter version."""
        choose = random.Random(7)
        body = " ".join(str(choose.randrange(10**9)) for _ in range(2000)).encode()
        message = b'{"messages":["' + body[: 17 << 10] + b'"]}'

        assert [len(piece) for piece in split(HEAD, body)] == [34, 2901, 1200, 15641]
        assert [len(piece) for piece in split(HEAD, message)] == [34, 13, 2902, 14508, 2]


class TestReading:
    @given(st.binary(max_size=100))
    def test_a_framed_payload_gives_head_and_body(self, body):
        payload = OutputWritten(stream="stdout", marks=((0, len(body)),))

        data = b"".join(split(encode_head(payload), body))

        assert decode_payload("framed", data) == (payload, body)

    def test_a_payload_without_body_is_its_head(self):
        assert decode_payload("json", HEAD) == (TaskEnded(), b"")

    @pytest.mark.parametrize("value", [b"1", b"null", b'"x"', b'{"a":[1,2.50]}', b"1e400"])
    def test_plain_values_come_back_byte_for_byte(self, value):
        for payload in (
            EffectReturned(value=msgspec.Raw(value)),
            RunEnded(value=msgspec.Raw(value)),
        ):
            again, _ = decode_payload("json", encode_head(payload))

            assert isinstance(again, EffectReturned | RunEnded)
            assert bytes(again.value) == value
            assert encode_head(again) == encode_head(payload)

    @pytest.mark.parametrize(
        "head",
        [
            b'{"kind":"EffectReturned","value":1,"value":2.50}',
            b'{"kind":"EffectReturned","kind":"EffectReturned","value":2.50}',
            b'{"kind":"EffectReturned","kind":5,"value":2.50,"kind":"EffectReturned"}',
        ],
    )
    def test_of_a_repeated_name_the_last_counts_whatever_the_type_of_the_first(self, head):
        returned, _ = decode_payload("json", head)

        assert isinstance(returned, EffectReturned)
        assert bytes(returned.value) == b"2.50"

    @pytest.mark.parametrize(
        ("media", "data"),
        [
            ("framed", HEAD),
            ("json", b""),
            ("json", b"{}"),
            ("json", b"[]"),
            ("json", HEAD + b"x"),
            ("json", b'{"kind":"MoonPhaseSeen"}'),
            ("json", b'{"kind":"TaskEnded","kind":"RunEnded"}'),
            ("json", b'{"kind":5,"value":2.50,"kind":"EffectReturned"}'),
            ("json", b'{"kind":"TaskEnded","more":1}'),
            ("json", b'{"kind":"RunSealed","reason":"bored","events":1}'),
            ("json", b'{"kind":"TaskEnded","error":"\xff"}'),
            ("json", b'{"kind":"TaskEnded","error":' + b"[" * 100_000),
        ],
    )
    def test_what_is_not_of_the_catalogue_is_refused(self, media, data):
        with pytest.raises(IntegrityError) as caught:
            decode_payload(media, data, 7)
        assert caught.value.where == "event 7"

    @given(st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
    def test_any_bytes_are_read_or_refused(self, data):
        for media in ("json", "framed"):
            try:
                decode_payload(media, data)
            except IntegrityError:
                continue
