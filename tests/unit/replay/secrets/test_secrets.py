"""What a secret is, how its surrogate is drawn, and where it is put in place of the value."""

import base64
import json
import random
import string

import pytest

from replay.secrets.patterns import (
    MIN_SECRET_LENGTH,
    Scrubber,
    Secret,
    SecretError,
    find_secret_values,
    is_secret_name,
    make_surrogate,
)

LETTERS = string.ascii_letters + string.digits


def entropy_of(seed=0):
    return random.Random(seed).randbytes


def random_text(length, seed, alphabet=LETTERS):
    return "".join(random.Random(seed).choices(alphabet, k=length))


def scrubber_of(*values):
    scrubber = Scrubber()
    for number, value in enumerate(values):
        surrogate, public = make_surrogate(value, entropy_of(number + 100), scrubber.secrets)
        scrubber.add(
            Secret(
                number=number,
                source=f"env:KEY_{number}",
                value=value,
                surrogate=surrogate,
                public=public,
            )
        )
    return scrubber


def without_values(scrubber):
    return Scrubber(
        Secret(number=s.number, source=s.source, value=None, surrogate=s.surrogate, public=s.public)
        for s in scrubber.secrets
    )


def windows_of(value, public, size=12):
    """Each spelling of each run of `size` characters beyond the public prefix."""
    for at in range(public, len(value) - size + 1):
        window = value[at : at + size].encode()
        yield window
        yield window.hex().encode()
        yield window.hex().upper().encode()
        yield b"".join(b"%%%02X" % byte for byte in window)
        yield b"".join(b"\\u%04x" % byte for byte in window)
        for shift in range(3):
            cells = base64.b64encode(bytes(shift) + window)[(0, 2, 3)[shift] :]
            yield cells[: len(window) * 8 // 6 - 1]


KEY = "sk-ant-api03-" + random_text(80, 1, LETTERS + "-_")
KEY_WINDOWS = tuple(windows_of(KEY, len("sk-ant-api03-")))


class TestCanary:
    """A planted key must not be found, by a scanner that first finds a planted one."""

    def spellings(self):
        yield KEY.encode()
        yield KEY.encode().hex().encode()
        yield KEY.encode().hex().upper().encode()
        yield b"".join(b"%%%02X" % byte for byte in KEY.encode())
        yield b"".join(b"\\u%04x" % byte for byte in KEY.encode())
        for before in (b"", b"u", b"us"):
            yield base64.b64encode(before + KEY.encode() + b"!")

    def is_found(self, data):
        return any(window in data for window in KEY_WINDOWS)

    def test_no_cut_of_an_event_stream_lets_the_key_through(self):
        scrubber = scrubber_of(KEY)
        for spelled in self.spellings():
            body = b'data: {"text": "the key is ' + spelled + b'"}\n\nevent: done\n\n'
            assert self.is_found(body)

            for cut in range(len(body) + 1):
                stream = scrubber.stream()
                put = stream.feed(body[:cut]) + stream.feed(body[cut:])
                assert len(put) == len(body)
                assert not self.is_found(put)
                assert without_values(scrubber).scrub(put) == scrubber.scrub(body)

    def test_single_bytes_let_nothing_through_either(self):
        scrubber = scrubber_of(KEY)
        for spelled in self.spellings():
            body = b'data: {"text": "' + spelled + b'"}'
            stream = scrubber.stream()

            put = b"".join(stream.feed(body[at : at + 1]) for at in range(len(body)))

            assert not self.is_found(put)
            assert without_values(scrubber).scrub(put) == scrubber.scrub(body)


class TestSurrogate:
    @pytest.mark.parametrize(
        ("value", "public"),
        [
            ("sk-ant-api03-" + "Ab1" * 20, 13),
            ("sk-proj-" + "Ab1" * 20, 8),
            ("sk-" + "Ab1" * 20, 3),
            ("ghp_" + "Ab1" * 12, 4),
            ("AKIA" + "ABCDEFGH23456777", 4),
            ("sk-ant-api03-Ab1Ab1", 3),  # never more than a third
            ("hunter2hunter2", 0),
        ],
    )
    def test_keeps_the_public_prefix_and_nothing_else(self, value, public):
        surrogate, kept = make_surrogate(value, entropy_of())

        assert kept == public
        assert surrogate[:public] == value[:public]
        assert surrogate[public:] != value[public:]

    def test_differs_between_runs_and_not_within_one_entropy(self):
        first, _ = make_surrogate(KEY, entropy_of(1))

        assert make_surrogate(KEY, entropy_of(1))[0] == first
        assert make_surrogate(KEY, entropy_of(2))[0] != first

    @pytest.mark.parametrize(
        "value", ["short", "a" * 11, "x" * 20_000, "pässwörter-lang", "-" * 40]
    )
    def test_refuses_what_it_cannot_hide_without_quoting_it(self, value):
        with pytest.raises(SecretError) as caught:
            make_surrogate(value, entropy_of())

        assert value not in caught.value.diagnostics()

    def test_windows_differ_also_between_characters_that_are_kept(self):
        value = "----1---2---a---B--C-D-7-e"

        surrogate, _ = make_surrogate(value, entropy_of(5))

        for at in range(len(value) - 3):
            window = value[at : at + 4]
            assert surrogate[at : at + 4] != window or not any(map(str.isalnum, window))

    def test_a_value_is_never_shown(self):
        secret = scrubber_of(KEY).secrets[0]

        assert KEY not in repr(secret) + str(secret) + repr([secret])
        assert KEY not in repr(list(secret.__rich_repr__()))


class TestNames:
    @pytest.mark.parametrize(
        "name",
        ["ANTHROPIC_API_KEY", "openai_api_key", "GITHUB_TOKEN", "DB_PASSWORD", "PASSWORD_2",
         "CLIENT_SECRET", "AWS_SECRET_ACCESS_KEY", "TOKEN"],
    )  # fmt: skip
    def test_of_credentials_are_secret(self, name):
        assert is_secret_name(name)

    @pytest.mark.parametrize(
        "name",
        ["PATH", "MAX_TOKENS", "TOKENIZERS_PARALLELISM", "SORT_KEY", "HOME",
         "GOOGLE_APPLICATION_CREDENTIALS"],
    )  # fmt: skip
    def test_of_other_things_are_not(self, name):
        assert not is_secret_name(name)

    def test_follow_the_patterns_given(self):
        assert is_secret_name("house_door", ["HOUSE_*"])
        assert not is_secret_name("ANTHROPIC_API_KEY", ["HOUSE_*"])


class TestFoundValues:
    @pytest.mark.parametrize(
        "value",
        [KEY, "sk-proj-" + "aB3" * 20, "ghp_" + "aB3" * 12, "AKIA" + "ABCDEFGH23456777",
         "AIza" + "aB3_x" * 7, "xoxb-1234-5678-" + "aB3" * 8, "hf_" + "aB" * 17,
         "glpat-" + "aB3_x" * 4, "npm_" + "aB3" * 12],
    )  # fmt: skip
    def test_have_the_shape_of_a_provider_s_key(self, value):
        text = b'{"key": "' + value.encode() + b'"}'

        assert [text[a:b].decode() for a, b in find_secret_values(text)] == [value]

    def test_are_not_found_in_prose(self):
        text = b"ask-ant-farmers sk-learn risk-based xoxb- AKIA hf_hub_download npm_config_cache"

        assert list(find_secret_values(text)) == []


class TestScrubber:
    def test_without_secrets_gives_back_what_it_is_given(self):
        data = KEY.encode()

        assert Scrubber().scrub(data) is data
        assert Scrubber().stream().feed(data) is data
        assert Scrubber().restore(data) is data
        assert Scrubber().suspects(data) == ()

    def test_replaces_each_of_many_occurrences(self):
        scrubber = scrubber_of(KEY)
        surrogate = scrubber.secrets[0].surrogate

        assert scrubber.scrub(f"{KEY},{KEY}{KEY}".encode()) == (
            f"{surrogate},{surrogate}{surrogate}".encode()
        )

    def test_leaves_eleven_characters_and_replaces_twelve(self):
        value = random_text(40, 7)
        scrubber = scrubber_of(value)
        surrogate = scrubber.secrets[0].surrogate

        assert scrubber.scrub(f"<{value[:11]}>".encode()) == f"<{value[:11]}>".encode()
        assert scrubber.scrub(f"<{value[:12]}>".encode()) == f"<{surrogate[:12]}>".encode()

    def test_takes_the_longest_of_those_that_begin_alike(self):
        short = random_text(30, 3)
        long = short + random_text(20, 4)
        scrubber = scrubber_of(short, long)

        put = scrubber.scrub(f"{long} {short}".encode()).decode()

        assert put == f"{scrubber.secrets[1].surrogate} {scrubber.secrets[0].surrogate}"

    def test_agrees_when_one_secret_stands_inside_another(self):
        header = f"Bearer {KEY}"
        live = scrubber_of(KEY, header)
        replayed = without_values(live)

        built_in_replay = f"Bearer {live.secrets[0].surrogate}".encode()

        assert live.scrub(header.encode()) == live.secrets[1].surrogate.encode()
        assert replayed.scrub(built_in_replay) == live.secrets[1].surrogate.encode()

    def test_leaves_nothing_of_occurrences_that_overlap(self):
        block = random_text(15, 9)
        value = block + block + random_text(20, 10)
        scrubber = scrubber_of(value)

        put = scrubber.scrub((block + value).encode())

        assert not any(window in put for window in windows_of(value, 0))

    def test_a_public_prefix_before_the_key_does_not_hide_its_beginning(self):
        for letter in string.ascii_lowercase:  # one of them is the first letter of the prefix
            value = f"sk-ant-api03-{letter}" + random_text(60, 2)
            scrubber = scrubber_of(value)

            put = scrubber.scrub(b"sk-ant-api03-" + value.encode())

            assert put == b"sk-ant-api03-" + scrubber.secrets[0].surrogate.encode()

    def test_characters_special_to_patterns_are_plain_text(self):
        value = r"a.b*c+d?e(f)g[h]i{2}j^k$l|m\n%41/x"
        scrubber = scrubber_of(value)
        surrogate = scrubber.secrets[0].surrogate

        assert scrubber.scrub(value.encode()) == surrogate.encode()
        assert scrubber.scrub(json.dumps(value).encode()) == json.dumps(surrogate).encode()

    def test_basic_credentials_become_those_of_the_surrogate(self):
        value = random_text(31, 12, LETTERS + "~?>")
        scrubber = scrubber_of(value)
        surrogate = scrubber.secrets[0].surrogate
        for before in ("", "u:", "me:", "user:"):
            for after in ("", "\n", ";;"):
                for encode in (base64.b64encode, base64.urlsafe_b64encode):
                    written = encode(f"{before}{value}{after}".encode())
                    expected = encode(f"{before}{surrogate}{after}".encode())

                    assert scrubber.scrub(written) == expected
                    assert scrubber.scrub(written.rstrip(b"=")) == expected.rstrip(b"=")

    def test_restoring_gives_the_wire_the_value(self):
        scrubber = scrubber_of(KEY)
        body = json.dumps({"key": KEY, "hex": KEY.encode().hex()}).encode()

        assert scrubber.restore(scrubber.scrub(body)) == body
        assert without_values(scrubber).restore(b"x" + KEY.encode()) == b"x" + KEY.encode()

    def test_suspects_name_the_secrets_that_stand_in_a_body(self):
        other = random_text(40, 21)
        scrubber = scrubber_of(KEY, other)

        assert scrubber.suspects(b"nothing") == ()
        assert scrubber.suspects(other.encode().hex().encode()) == (1,)
        assert scrubber.suspects(f"{other} {KEY[:30]}".encode()) == (0, 1)
        assert scrubber.suspects(scrubber.scrub(f"{other} {KEY}".encode())) == ()

    def test_knows_values_and_surrogates(self):
        scrubber = scrubber_of(KEY)

        assert scrubber.knows(KEY)
        assert scrubber.knows(scrubber.secrets[0].surrogate)
        assert not scrubber.knows(KEY[:-1] + "!")


class TestRegistration:
    def secret(self, **changes):
        fields = {
            "number": 7,
            "source": None,
            "value": "a" * 20,
            "surrogate": "b" * 20,
            "public": 0,
        }
        return Secret(**(fields | changes))

    @pytest.mark.parametrize(
        "changes",
        [
            {"surrogate": "b" * (MIN_SECRET_LENGTH - 1), "value": None},
            {"surrogate": "b" * 19},
            {"surrogate": "B" * 20},
            {"surrogate": "b" * 19 + "-"},
            {"surrogate": "ä" * 20, "value": None},
            {"value": "ä" * 20},
            {"public": 4},
            {"public": 14, "value": None},
            {"public": -1, "value": None},
        ],
    )
    def test_refuses_a_surrogate_that_none_could_have_drawn(self, changes):
        scrubber = Scrubber()

        with pytest.raises(SecretError):
            scrubber.add(self.secret(**changes))

        assert scrubber.secrets == ()

    def test_refuses_a_number_twice(self):
        scrubber = scrubber_of(KEY)

        with pytest.raises(SecretError):
            scrubber.add(self.secret(number=0))

    def test_refuses_surrogates_that_part_before_their_values_do(self):
        first, second = random_text(30, 1) + "x" * 10, random_text(30, 1) + "y" * 10
        scrubber = scrubber_of(first)
        apart, _ = make_surrogate(second, entropy_of(77))
        alike, _ = make_surrogate(second, entropy_of(77), scrubber.secrets)

        with pytest.raises(SecretError):
            scrubber.add(self.secret(value=second, surrogate=apart))
        scrubber.add(self.secret(value=second, surrogate=alike))

        assert scrubber.scrub(second.encode()) == alike.encode()

    def test_refuses_a_surrogate_that_holds_another_secret(self):
        value = random_text(20, 31, string.ascii_lowercase)
        scrubber = scrubber_of(value)
        holder = random_text(40, 32, string.ascii_lowercase)

        with pytest.raises(SecretError):
            scrubber.add(self.secret(value=holder, surrogate=value + "z" * 20))

        assert len(scrubber.secrets) == 1
        assert scrubber.scrub(holder.encode()) == holder.encode()


class TestStream:
    def test_a_short_secret_lets_no_more_than_eleven_characters_go(self):
        value = "hunter2hunter2xyz"
        scrubber = scrubber_of(value)
        for cut in range(len(value) + 1):
            stream = scrubber.stream()

            put = stream.feed(value[:cut].encode()) + stream.feed(value[cut:].encode())

            assert value[:12].encode() not in put
            assert put.endswith(scrubber.secrets[0].surrogate[11:].encode())

    def test_innocent_text_that_begins_like_a_secret_stays(self):
        stream = scrubber_of(random_text(5, 1) + random_text(30, 2)).stream()
        text = random_text(5, 1).encode()

        assert stream.feed(text) == text
        assert stream.feed(b" and so on") == b" and so on"

    def test_streams_of_one_scrubber_do_not_meet(self):
        value = random_text(40, 5)
        scrubber = scrubber_of(value)
        one, other = scrubber.stream(), scrubber.stream()

        one.feed(value[:11].encode())

        assert other.feed(value[11:].encode()) == value[11:].encode()
