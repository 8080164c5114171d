"""Any well-formed run passes the check; any change of a byte of its evidence does not."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from replay.log.fsck import check
from replay.tree import Checkpoint
from tests.support.conversations import conversation
from tests.support.recordings import RUN_ID, ListReader, Recording, effects

replace = msgspec.structs.replace
RUNS = [conversation().seal(), effects(Recording(), 6, size=40).seal()]


def head_of(run):
    return Checkpoint(f"ritornello/run/{RUN_ID}", len(run.entries), run.root())


def flipped(data, place, bit):
    changed = bytearray(data)
    changed[place % len(changed)] ^= 1 << bit
    return bytes(changed)


@given(st.sampled_from(RUNS), st.integers(0), st.integers(0), st.integers(0, 7), st.integers(0, 3))
def test_every_flipped_bit_is_found(run, record, place, bit, field):
    entries = list(run.entries)
    record %= len(entries)
    entry = entries[record]
    if field == 0 or not entry.brought:
        entries[record] = replace(entry, raw=flipped(entry.raw, place, bit))
    else:
        part = entry.brought[0]
        name = ("data", "salt", "commitment")[field - 1]
        part = replace(part, **{name: flipped(getattr(part, name), place, bit)})
        entries[record] = replace(entry, brought=(part, *entry.brought[1:]))

    result = check(ListReader(entries), head=head_of(run))

    assert result.integrity == "failed"


@given(st.sampled_from(RUNS), st.integers(0), st.integers(0))
def test_every_removed_repeated_or_exchanged_record_is_found(run, one, other):
    entries = list(run.entries)
    one, other = one % len(entries), other % len(entries)
    removed = entries[:one] + entries[one + 1 :]
    repeated = [*entries[: one + 1], *entries[one:]]
    exchanged = list(entries)
    exchanged[one], exchanged[other] = exchanged[other], exchanged[one]

    for changed in (removed, repeated, exchanged):
        result = check(ListReader(changed), head=head_of(run))

        assert (result.integrity == "ok") == (changed == entries)


@given(st.sampled_from(RUNS), st.integers(0))
def test_every_prefix_is_whole_and_open_and_shorter_than_its_head(run, size):
    entries = run.entries[: 1 + size % (len(run.entries) - 1)]

    alone = check(ListReader(entries))
    beside = check(ListReader(entries), head=head_of(run))

    assert (alone.integrity, alone.completeness) == ("ok", "open")
    assert alone.root == run.root(len(entries)).hex()
    assert (beside.integrity, beside.completeness) == ("failed", "truncated")


@given(st.sampled_from(RUNS), st.data())
def test_any_erasures_keep_the_root_and_are_counted(run, data):
    every = [part.ordinal for entry in run.entries for part in entry.brought]
    erased = data.draw(st.sets(st.sampled_from(every)))
    entries = [
        replace(
            entry,
            brought=tuple(
                replace(part, data=None, salt=b"", state="erased")
                if part.ordinal in erased
                else part
                for part in entry.brought
            ),
        )
        for entry in run.entries
    ]

    result = check(ListReader(entries), head=head_of(run))

    assert (result.integrity, result.completeness) == ("ok", "sealed")
    assert (result.root, result.holes.erased) == (run.root().hex(), len(erased))
    assert result.holes.records == sum(not erased.isdisjoint(entry.parts) for entry in run.entries)
