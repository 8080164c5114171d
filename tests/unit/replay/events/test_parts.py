"""Equal parts of a run are committed to once, and replay reaches the same from the salts alone."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import replay.events.parts as parts_module
from replay.errors import IntegrityError
from replay.events.digest import part_commitment, payload_commitment
from replay.events.entry import Part
from replay.events.parts import PartTable, check_part


def salt_for(ordinal):
    return ordinal.to_bytes(16, "big")


PAYLOADS = st.lists(st.lists(st.binary(max_size=3), min_size=1, max_size=5), max_size=10)


@given(PAYLOADS)
def test_the_commitment_is_that_of_the_parts(payloads):
    table = PartTable(salt_for)
    parts: list[Part] = []

    for pieces in payloads:
        refs, brought, commitment, size = table.commit(pieces)
        parts += brought
        assert b"".join(parts[ref].data or b"" for ref in refs) == b"".join(pieces)
        assert size == sum(map(len, pieces))
        assert commitment == payload_commitment(
            (parts[ref].size, parts[ref].commitment) for ref in refs
        )
    assert [part.ordinal for part in parts] == list(range(len(table)))
    assert len({part.data for part in parts}) == len(parts)
    for part in parts:
        assert part.commitment == part_commitment(salt_for(part.ordinal), part.data or b"")
        check_part(part)


@given(PAYLOADS)
def test_recorded_salts_lead_to_the_recorded_commitments(payloads):
    table = PartTable(salt_for)
    recorded = [table.commit(pieces) for pieces in payloads]
    salts = [part.salt for _, brought, _, _ in recorded for part in brought]

    replaying = PartTable(salts.__getitem__)

    assert [replaying.commit(pieces) for pieces in payloads] == recorded


@given(st.lists(st.lists(st.sampled_from([b"a", b"b", b"c", b"d", b"e"]), min_size=1, max_size=3)))
def test_a_table_finds_the_last_parts_and_forgets_the_others(payloads):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts_module, "FOUND_AGAIN_MAX", 3)
        table, resumed = PartTable(salt_for), PartTable(salt_for)
        known: list[bytes] = []
        for pieces in payloads:
            refs, brought, _, _ = committed = table.commit(pieces)
            again = [part.data for part in brought]
            for ref, piece in zip(refs, pieces, strict=True):
                if again and ref == len(known):
                    assert piece not in known[-3:]
                    known.append(piece)
                    assert again.pop(0) == piece
                else:
                    assert ref >= len(known) - 3
                assert known[ref] == piece
            assert resumed.commit(pieces) == committed
            resumed = PartTable(salt_for)
            for ordinal, data in enumerate(known):
                salt = salt_for(ordinal)
                commitment = part_commitment(salt, data)
                resumed.known(
                    Part(
                        ordinal=ordinal,
                        salt=salt,
                        commitment=commitment,
                        size=len(data),
                        data=data,
                    )
                )


def test_the_memory_of_a_table_is_bounded(monkeypatch):
    monkeypatch.setattr(parts_module, "FOUND_AGAIN_MAX", 100)
    table = PartTable(salt_for)
    for number in range(10_000):
        table.commit([b"%d" % number])

    assert len(table) == 10_000
    assert len(table._ordinals) <= 201
    assert len(table._listed) <= 201 * 40


@given(PAYLOADS, PAYLOADS)
def test_a_resumed_table_goes_on_as_if_it_had_not_stopped(before, after):
    table, resumed = PartTable(salt_for), PartTable(salt_for)
    for pieces in before:
        for part in table.commit(pieces)[1]:
            resumed.known(part)

    assert [resumed.commit(pieces) for pieces in after] == [table.commit(p) for p in after]


class Colliding(bytes):
    """Bytes of which all have the same hash, as an attacker who knows its key could make them."""

    def __hash__(self):
        return 7


@given(PAYLOADS)
def test_the_hash_by_which_equal_parts_are_found_decides_nothing(payloads):
    table, colliding = PartTable(salt_for), PartTable(salt_for)

    for pieces in payloads:
        assert colliding.commit([Colliding(piece) for piece in pieces]) == table.commit(pieces)


@pytest.mark.parametrize("salt", [b"", bytes(16), b"sixteen bytes ok", b"odd"])
def test_an_equal_part_is_found_whatever_its_salt(salt):
    table = PartTable(lambda _: salt)

    first, again = table.commit([b"same"]), table.commit([b"same"])

    if len(salt) in {0, 16}:
        assert again == (first[0], (), *first[2:])
    else:  # no recorder draws such a salt: no part of such a log is equal to another
        assert again[0] == (1,)


def test_a_fresh_salt_hides_an_equal_part_of_another_run():
    one = PartTable(lambda _: b"a" * 16).commit([b"yes"])
    other = PartTable(lambda _: b"b" * 16).commit([b"yes"])

    assert one[1][0].commitment != other[1][0].commitment
    assert one[2] != other[2]


def test_an_erased_part_is_not_found_again_and_keeps_its_place():
    table, resumed = PartTable(salt_for), PartTable(salt_for)
    (part,) = table.commit([b"secret"])[1]

    resumed.known(msgspec.structs.replace(part, data=None, salt=b"", state="erased"))
    refs, brought, _, _ = resumed.commit([b"secret"])

    assert (refs, [part.ordinal for part in brought]) == ((1,), [1])


def test_known_parts_come_in_order():
    (part,) = PartTable(salt_for).commit([b"x"])[1]

    with pytest.raises(IntegrityError):
        PartTable(salt_for).known(msgspec.structs.replace(part, ordinal=1))


@pytest.mark.parametrize(
    "fields",
    [{"data": b"other"}, {"data": b""}, {"salt": b"x" * 16}, {"salt": b"x"}, {"size": 9}],
)
def test_a_part_that_does_not_fit_its_commitment_is_refused(fields):
    (part,) = PartTable(salt_for).commit([b"datum"])[1]

    with pytest.raises(IntegrityError) as caught:
        check_part(msgspec.structs.replace(part, **fields), "event 5")
    assert caught.value.where == "event 5"


def test_a_hole_has_nothing_to_check():
    (part,) = PartTable(salt_for).commit([b"datum"])[1]

    check_part(msgspec.structs.replace(part, data=None, salt=b"", state="erased"))
