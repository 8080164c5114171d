"""Attacks 41 to 48: spellings, sizes, text, decoders, the database."""

from __future__ import annotations

import tracemalloc

import duckdb
import msgspec

import replay
from attestations.errors import EnvelopeError, StatementError
from attestations.statements.envelope import ENVELOPE_SIZE_MAX, read_envelope
from attestations.statements.statement import read_statement
from orchestrator.cli.terminal import inert
from orchestrator.dialects.bounded_json import UnreadableError, parse_object
from replay.bundle.manifest import check_name
from replay.errors import BundleError, BundlePathError, IntegrityError, UsageError
from replay.events.digest import part_commitment, payload_commitment
from replay.events.header import decode_header
from replay.events.payload import decode_payload
from replay.log.duckdb_schema import connect
from replay.log.workspace_log import decode_entry, encode_entry
from tests.attacks.attempts import attempt, opened
from tests.attacks.on_containers import good
from tests.support.bundle_forging import REFS, raws, refresh, small_entries, workspace_records

HEADER = small_entries()[1].raw
MEMORY_MAX = 64 << 20

_SPELLINGS = {
    "spacing": lambda raw: raw.replace(b'"seq":1', b'"seq": 1'),
    "escape": lambda raw: raw.replace(b'"json"', b'"\\u006ason"'),
    "order": lambda raw: b'{"v":1,' + raw[1:].replace(b',"v":1', b""),
    "float": lambda raw: raw.replace(b'"seq":1', b'"seq":1.0'),
    "exponent": lambda raw: raw.replace(b'"seq":1', b'"seq":1e0'),
    "minus_zero": lambda raw: raw.replace(b'"index":0', b'"index":-0'),
    "mark": lambda raw: b"\xef\xbb\xbf" + raw,
    "twice": lambda raw: raw.replace(b'"seq":1', b'"seq":1,"seq":1'),
    "default": lambda raw: raw.replace(b'"participant"', b'"outcome":"ok","participant"'),
    "more": lambda raw: raw[:-1] + b',"w":1}',
}
for _name, _spell in _SPELLINGS.items():

    def _spelled(place, spell=_spell):
        assert spell(HEADER) != HEADER
        decode_header(spell(HEADER))

    _spelled.__name__ = f"header_{_name}"
    attempt(41, refused=IntegrityError)(_spelled)


@attempt(41, refused=BundleError)
def a_manifest_with_a_field_twice(place):
    raw = good()["manifest.json"].replace(b'"format":1', b'"format":1,"format":1')
    opened(good() | {"manifest.json": raw}, place)


@attempt(42, gives=3)
def payloads_cut_in_another_way(place):
    """The list of a payload binds where it is cut, and how often."""
    cuts = ([b"ab", b"c"], [b"a", b"bc"], [b"abc"])
    salt = bytes(16)
    commitments = {
        payload_commitment([(len(piece), part_commitment(salt, piece)) for piece in pieces])
        for pieces in cuts
    }
    return len(commitments)


@attempt(42, gives=False)
def a_salt_that_ends_in_the_payload(place):
    salt, data = bytes(15) + b"a", b"bc"
    return part_commitment(salt, data) == part_commitment(b"", salt + data[:-1] + b"x")


def bounded(act):
    """Do something that is refused, in bounded memory."""
    tracemalloc.start()
    try:
        act()
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < MEMORY_MAX, f"{peak} bytes"


_HUGE = {
    "a_million_digits": b"9" * 1_000_000,
    "past_double": b"9007199254740992",
    "past_64_bits": b"18446744073709551616",
    "past_every_float": b"1e400",
    "deep_64": b"[" * 64 + b"]" * 64,
    "deep_900": b"[" * 900 + b"]" * 900,
    "deep_200000": b"[" * 200_000 + b"]" * 200_000,
}
for _name, _value in _HUGE.items():

    def _huge_header(place, value=_value):
        bounded(lambda: decode_header(HEADER.replace(b'"seq":1', b'"seq":' + value)))

    def _huge_payload(place, value=_value):
        bounded(lambda: decode_payload("json", b'{"kind":"RunSealed","events":' + value + b"}"))

    def _huge_statement(place, value=_value):
        bounded(lambda: read_statement(b'{"_type":' + value + b"}"))

    def _huge_envelope(place, value=_value):
        bounded(lambda: read_envelope(b'{"payload":' + value + b"}"))

    for _function, _error in (
        (_huge_header, IntegrityError),
        (_huge_payload, IntegrityError),
        (_huge_statement, StatementError),
        (_huge_envelope, EnvelopeError),
    ):
        _function.__name__ = f"{_function.__name__[1:]}_{_name}"
        attempt(43, refused=_error)(_function)


@attempt(43, refused=UnreadableError)
def a_body_of_a_provider_nested_200000_deep(place):
    bounded(lambda: parse_object(b'{"a":' + b"[" * 200_000 + b"]" * 200_000 + b"}"))


@attempt(43, refused=BundleError)
def a_manifest_of_a_million_digits(place):
    raw = good()["manifest.json"].replace(b'"size":6', b'"size":' + b"9" * 1_000_000)
    items = raws(good() | {"manifest.json": raw})
    items[2].method = 0
    bounded(lambda: opened(items, place))


@attempt(43, refused=BundleError)
def a_length_of_4_gib_in_front_of_a_frame(place):
    refs = good()[REFS]
    bounded(lambda: opened(refresh(good() | {REFS: b"\xff" * 4 + refs[4:]}), place))


@attempt(43, refused=IntegrityError)
def a_length_of_4_gib_in_the_log_of_a_workspace(place):
    """Of a frame's content; what lies in the file is all that is read."""
    whole = encode_entry(workspace_records(small_entries())[0])
    bounded(lambda: decode_entry(b"\xff" * 4 + whole[4:], 0, 0))


def _keys(first, count=1_000_000):
    """A JSON object of so many keys, which all begin in one way."""
    return b"{" + first + b"".join(b',"key%07d":0' % n for n in range(count)) + b"}"


@attempt(43, refused=IntegrityError)
def a_header_of_a_million_keys(place):
    decode_header(_keys(HEADER[1:-1]))


@attempt(43, refused=StatementError)
def a_statement_of_as_many_keys_as_an_envelope_can_hold(place):
    keys = _keys(b'"_type":"https://in-toto.io/Statement/v1"', 125_000)
    assert len(keys) > ENVELOPE_SIZE_MAX * 3 // 4  # in base64 it is no envelope any more
    read_statement(keys)


@attempt(43, refused=EnvelopeError)
def an_envelope_of_a_million_keys(place):
    read_envelope(_keys(b'"payloadType":"application/vnd.in-toto+json"'))


@attempt(43, gives=100_001)
def a_body_of_a_provider_of_many_keys(place):
    """Such an object is read, in time that is linear in its bytes."""
    return len(parse_object(_keys(b'"model":"m"', 100_000)))


for _number, _text in enumerate(
    ("a\ud800", "a\0b", "a\u202eb", "p\u0430rts/000000000000-000000000000.bin", "a\u200bb", "é")
):

    def _hostile_identifier(place, text=_text):
        check_name(text)

    _hostile_identifier.__name__ = f"identifier_{_number}"
    attempt(44, refused=BundlePathError)(_hostile_identifier)


@attempt(44, gives=True)
def text_that_steers_a_terminal(place):
    shown = inert("\x1b[2J\u202egnp.exe\0\u2028\ud800")
    return shown.isprintable()


@attempt(45, refused=msgspec.DecodeError)
def a_kind_of_payload_that_names_a_class(place):
    msgspec.json.decode(b"\x80\x04cos\nsystem\n")


@attempt(45, refused=IntegrityError)
def a_pickle_where_a_payload_belongs(place):
    decode_payload("json", b"\x80\x04cos\nsystem\n(S'true'\ntR.")


_STATEMENTS = {
    "reads_a_file": "SELECT * FROM read_text('/etc/hostname')",
    "reads_a_table_file": "SELECT * FROM '/etc/hostname'",
    "attaches": "ATTACH 'other.duckdb'",
    "copies_out": "COPY (SELECT 1) TO 'out.csv'",
    "installs": "INSTALL httpfs",
    "loads": "LOAD 'evil.duckdb_extension'",
    "unlocks": "SET enable_external_access = true",
    "unlocks_the_lock": "SET lock_configuration = false",
}
for _name, _statement in _STATEMENTS.items():

    def _sql(place, statement=_statement):
        connection = connect(place / "log.duckdb", read_only=False)
        try:
            connection.execute(statement).fetchall()
        finally:
            connection.close()
            assert not (place / "out.csv").exists()
            assert not (place / "other.duckdb").exists()

    _sql.__name__ = f"sql_{_name}"
    attempt(47, refused=duckdb.Error)(_sql)


@attempt(42, refused=UsageError, says="is not plain data")
def a_result_that_json_would_write_as_another(place):
    """A result that is no number would come back as nothing: it is refused, not recorded."""

    @replay.effect
    def divided(x: float) -> float:
        return float("nan")

    async def main() -> float:
        return divided(1.0)

    replay.record(main, workspace=place / "runs").result()
