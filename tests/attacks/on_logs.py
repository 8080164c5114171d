"""Attacks 29 to 40: the records of a run, its tree, its checkpoint, its commitments."""

from __future__ import annotations

import struct
from hashlib import sha256

import msgspec
from blake3 import blake3

from attestations.anchors.comparing import compare
from attestations.anchors.heads import HeadMemory
from replay.bundle import BundleReader
from replay.bundle.proof import make_proof, proof_bytes, read_proof
from replay.errors import BundleError, ProofError
from replay.events.digest import part_commitment
from replay.events.header import encode_header
from replay.events.kinds import OutputWritten
from replay.log.fsck import check
from replay.tree import (
    Checkpoint,
    event_leaves,
    inclusion_proof,
    parse_checkpoint,
    root_of,
    verify_inclusion,
)
from tests.attacks.attempts import attempt, opened
from tests.attacks.on_containers import PARTS, good
from tests.contract.entries import Chain
from tests.support import second_reader
from tests.support.bundle_forging import (
    HEADERS,
    build,
    export,
    head_of,
    members_of,
    refresh,
    relisted,
    small_entries,
    stored,
    uncut,
)

NOTE = "checkpoint.note"


def changed(name, old, new):
    """The members of a good bundle with one of them changed, and all digests mended."""
    assert old in good()[name]
    return refresh(good() | {name: good()[name].replace(old, new, 1)})


@attempt(29, refused=BundleError, says="part does not match its commitment")
def a_byte_of_a_payload(place):
    opened(changed(PARTS, b"Vivaldi", b"Vivaldy"), place)


@attempt(29, refused=BundleError, says="root is not that of the headers")
def a_digit_of_a_header(place):
    opened(changed(HEADERS, b'"lamport":3', b'"lamport":4'), place)


def _lines():
    return good()[HEADERS].splitlines(keepends=True)


def _with_lines(lines):
    return refresh(good() | {HEADERS: b"".join(lines)})


@attempt(30, refused=BundleError, says="holds other lines")
def a_record_deleted(place):
    opened(_with_lines([*_lines()[:2], *_lines()[3:]]), place)


@attempt(30, refused=BundleError, says="holds other lines")
def a_record_inserted(place):
    opened(_with_lines([*_lines()[:2], _lines()[2], *_lines()[2:]]), place)


@attempt(30, refused=BundleError, says="claims position")
def two_records_exchanged(place):
    first, second, *rest = _lines()
    opened(_with_lines([second, first, *rest]), place)


@attempt(30, refused=BundleError)
def a_record_of_another_run(place):
    chain = Chain(8, cut=uncut)
    said = OutputWritten(stream="stdout", marks=())
    others = [chain.next(), *(chain.record(said, b"x") for _ in range(2))]
    lines = _lines()
    lines[2] = others[2].raw + b"\n"
    opened(_with_lines(lines), place)


@attempt(31, gives=["open"] * 5)
def a_run_cut_at_every_record_and_mended(place):
    """What a forger makes by cutting a run is a run without a seal, never a whole one."""
    found = []
    for size in range(1, 6):
        path = place / f"{size}.ritornello"
        export(small_entries()[:size], path)
        with BundleReader.open(path) as reader:
            found.append(check(reader, head=reader.checkpoint).completeness)
        assert second_reader.judged(path).completeness == found[-1]
    return found


@attempt(31, refused=BundleError, says="says otherwise whether the run is sealed")
def a_cut_run_that_says_it_is_sealed(place):
    path = place / "cut.ritornello"
    export(small_entries()[:5], path)
    opened(relisted(members_of(path), sealed=True), place)


@attempt(31, gives="truncated")
def a_run_cut_behind_its_head(place):
    return check(stored(small_entries()[:4]), head=head_of(small_entries())).completeness


def _head(size):
    return head_of(small_entries()[:size])


def _prefix(size):
    return root_of(event_leaves(entry.raw for entry in small_entries()[:size]))


@attempt(33, gives=("shorter", 1))
def an_older_head_of_a_log_that_was_seen_larger(place):
    memory = HeadMemory(place)
    memory.see(_head(6), _head(6).note(), _prefix)
    sighting = memory.see(_head(4), _head(4).note(), _prefix)
    kept = [*place.rglob("conflicts/*")]
    assert memory.known(_head(6).origin) == _head(6)
    return sighting.comparison, len(kept)


@attempt(33, gives=None)
def an_older_head_of_a_log_that_nobody_saw(place):
    """Nobody can tell: what is not pinned is reported as that, and not as held."""
    return HeadMemory(place).see(_head(4), _head(4).note(), _prefix).comparison


@attempt(34, gives=("fork", "fork"))
def two_heads_of_one_size(place):
    other = Checkpoint(_head(6).origin, 6, sha256(b"another history").digest())
    memory = HeadMemory(place)
    memory.see(_head(6), _head(6).note(), _prefix)
    return compare(other, _head(6), _prefix), memory.see(other, other.note(), _prefix).comparison


@attempt(35, refused=BundleError, says="origin names another run than its records")
def the_bundle_of_one_run_offered_as_another(place):
    name = b"ritornello/run/another"
    note = good()[NOTE].replace(b"ritornello/run/01JDTESTRUN0000000000000", name)
    opened(relisted(refresh(good() | {NOTE: note}), origin=name.decode()), place)


@attempt(35, refused=BundleError, says="format version 2 is not known")
def the_bundle_of_another_format_version(place):
    opened(relisted(good(), format=2), place)


def _proved(**changes):
    leaves = event_leaves(entry.raw for entry in Chain(5).take(7))
    fields = {
        "index": 3,
        "size": 7,
        "proof": inclusion_proof(3, leaves),
        "root": root_of(leaves),
    } | changes
    verify_inclusion(leaves[3], **fields)


@attempt(36, refused=ProofError)
def a_proof_of_one_place_for_another(place):
    _proved(index=2)


@attempt(36, refused=ProofError, says="too short")
def a_proof_of_one_size_for_another(place):
    _proved(size=9)


@attempt(36, refused=ProofError, says="too long")
def a_proof_with_one_more(place):
    leaves = event_leaves(entry.raw for entry in Chain(5).take(7))
    _proved(proof=[*inclusion_proof(3, leaves), bytes(32)])


@attempt(36, refused=ProofError, says="not 32")
def a_hash_of_31_bytes(place):
    leaves = event_leaves(entry.raw for entry in Chain(5).take(7))
    _proved(proof=[inclusion_proof(3, leaves)[0][:31], *inclusion_proof(3, leaves)[1:]])


@attempt(36, refused=ProofError)
def the_proof_of_an_event_under_the_checkpoint_of_a_workspace(place):
    entries = small_entries()
    data = proof_bytes(make_proof(stored(entries), 3, checkpoint=head_of(entries)))
    read_proof(data.replace(b"\nritornello/run/", b"\nritornello/workspace/"))


for _number, _note in enumerate(
    (
        b"o\n6\nX\n\n\n",
        b"o\r\n6\r\nAAAA\r\n",
        b"o\n06\nAAAA\n",
        b"o\n+5\nAAAA\n",
        b"o\n" + b"9" * 30 + b"\nAAAA\n",
        b"o\n6\nAAAA\ntrailing",
        head_of(small_entries()).body() + b"\n" + "— k AAAAAAA=\n".encode() * 10_000,
        head_of(small_entries()).body() + b"\n" + "— k AAAAAAA=\n".encode() * 2,
        head_of(small_entries()).body().replace(b"\n", b"\n\n", 1),
    )
):

    def _hostile_note(place, note=_note):
        parse_checkpoint(note)

    _hostile_note.__name__ = f"note_{_number}"
    attempt(37, refused=ProofError)(_hostile_note)


def _timed(time_of):
    """The records of a run with other times in their headers."""
    replace = msgspec.structs.replace
    entries = []
    for entry in small_entries():
        header = replace(entry.header, time=time_of(entry.header.seq))
        entries.append(replace(entry, header=header, raw=encode_header(header)))
    return entries


@attempt(38, refused=BundleError, says="<= 9007199254740991")
def a_time_in_the_year_9999(place):
    export(_timed(lambda seq: 253_370_764_800_000_000), place / "late.ritornello")


@attempt(38, gives=("ok", "sealed", [0, 1, 2, 3, 4, 5]))
def times_that_run_backwards_order_nothing(place):
    """A time is a claim: records stand in the order of their positions, whatever they claim."""
    latest = 9_000_000_000_000_000  # in the year 2255
    entries = _timed(lambda seq: latest - seq)
    path = place / "backwards.ritornello"
    export(entries, path)
    with BundleReader.open(path) as reader:
        checked = check(reader, head=reader.checkpoint)
        order = [entry.header.seq for entry in reader.entries()]
    return checked.integrity, checked.completeness, order


def _frames(plain):
    frames, at = [], 0
    while at < len(plain):
        salted = plain[at + 1]
        size = struct.unpack("<Q", plain[at + 34 + salted : at + 42 + salted])[0]
        end = at + 50 + salted + (size if plain[at] == 0 else 0)
        frames.append(plain[at:end])
        at = end
    return frames


def _with_frame(number, frame):
    frames = _frames(good()[PARTS])
    frames[number] = frame(frames[number])
    return refresh(good() | {PARTS: b"".join(frames)})


@attempt(39, gives=(6, 1))
def a_payload_that_was_erased(place):
    """Who erases rightly leaves a hole that is counted, and the root stays."""
    members = _with_frame(1, lambda frame: b"\1\0" + frame[18:66])
    path = build(place / "erased.ritornello", members)
    assert second_reader.judged(path).root == head_of(small_entries()).root.hex()
    with BundleReader.open(path) as reader:
        return reader.verified.present, reader.verified.erased


@attempt(39, refused=BundleError, says="erased but has a salt")
def an_erased_payload_that_can_still_be_guessed(place):
    opened(_with_frame(1, lambda frame: b"\1\x10" + frame[2:66]), place)


@attempt(39, refused=BundleError, says="does not match its commitment")
def a_payload_with_another_salt(place):
    opened(_with_frame(1, lambda frame: frame[:2] + bytes(16) + frame[18:]), place)


@attempt(39, refused=BundleError)
def an_erased_payload_replaced_by_another(place):
    data = b"another"

    def other(frame):
        salt = bytes(16)
        start = b"\0\x10" + salt + part_commitment(salt, data)
        return start + struct.pack("<Q", len(data)) + frame[58:66] + data

    opened(_with_frame(1, other), place)


@attempt(40, gives=[])
def an_unsalted_digest_of_a_payload_anywhere_in_an_export(place):
    entries = small_entries()
    path = place / "run.ritornello"
    ordinals = frozenset(part.ordinal for entry in entries for part in entry.brought)
    export(entries, path, withheld=ordinals)
    members = members_of(path)
    everything = b"".join(data for name, data in members.items() if name != "zip.sha256")
    found = []
    for part in (part for entry in entries for part in entry.brought):
        digests = [sha256(part.data), blake3(part.data)]
        digests.append(blake3(part.data, derive_key_context="ritornello part v1"))
        for digest in (each.digest() for each in digests):
            if digest in everything or digest.hex().encode() in everything:
                found.append(part.ordinal)
        if part.salt in everything:
            found.append(part.ordinal)
    return found


@attempt(40, gives=False)
def a_dictionary_of_two_words_without_the_salt(place):
    salt = sha256(b"of the run").digest()[:16]
    guesses = {part_commitment(b"", word) for word in (b"yes", b"no")}
    return part_commitment(salt, b"yes") in guesses
