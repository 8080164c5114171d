"""What every store of a run's records promises; subclass it and say how to make one."""

from __future__ import annotations

import threading

import msgspec
import pytest

from replay.errors import IntegrityError, LogError
from replay.events.header import decode_header
from replay.log.port import Store
from replay.tree import Frontier, event_leaf
from tests.contract.entries import Chain, chain, lean_lines, lean_lines_of

__all__ = ["StoreContract"]


class StoreContract:
    """Promises of :class:`replay.log.port.Store`. ``reopen`` may give the same object back."""

    @pytest.fixture
    def store(self) -> Store:
        raise NotImplementedError

    def reopen(self, store):
        return store

    def test_a_new_store_is_empty(self, store):
        assert store.size() == 0
        assert list(store.entries()) == []
        assert store.parts([]) == {}
        assert store.salts(0, 10) == []

    def test_what_was_appended_is_read_back_as_it_was(self, store):
        entries = chain(120)

        store.append(entries[:1])
        store.append(entries[1:7])
        store.append(entries[7:])

        assert store.size() == 120
        assert list(store.entries()) == entries

    def test_records_are_the_same_after_reopening_and_go_on_there(self, store):
        entries = chain(90, seed=3)
        store.append(entries[:50])

        store = self.reopen(store)
        assert list(store.entries()) == entries[:50]
        store.append(entries[50:])

        store = self.reopen(store)
        assert list(store.entries()) == entries

    def test_any_range_of_positions_can_be_read(self, store):
        entries = chain(700, seed=1)
        store.append(entries)

        for first, last in [(0, 0), (0, 1), (699, None), (511, 513), (300, 650), (10, 20), (5, 3)]:
            assert list(store.entries(first, last)) == entries[first:last]
        assert list(store.entries(650, 9_999)) == entries[650:]
        assert list(store.entries(700)) == []

    def test_ranges_can_be_read_in_turn_and_interleaved(self, store):
        entries = chain(60, seed=5)
        store.append(entries)

        one, two = store.entries(10, 40), store.entries(0, 30)
        taken = [(next(one), next(two)) for _ in range(30)]

        assert taken == list(zip(entries[10:40], entries[:30], strict=True))
        assert [next(store.entries(seq, seq + 1)) for seq in range(60)] == entries

    def test_a_reading_begun_before_an_append_sees_a_prefix(self, store):
        entries = chain(30)
        store.append(entries[:20])

        reading = store.entries()
        first = next(reading)
        store.append(entries[20:])
        rest = list(reading)

        assert [first, *rest] == entries[:20]

    @pytest.mark.parametrize(
        "wanted",
        [(), ("EffectReturned",), ("RequestSent", "OutputWritten"), ("RunStarted", "NoSuchKind")],
    )
    def test_a_lean_reading_gives_wanted_kinds_whole_and_of_others_the_header_bytes(
        self, store, wanted
    ):
        entries = chain(700, seed=9)
        store.append(entries)

        lines = lean_lines(store, wanted)

        assert lines == lean_lines_of(entries, wanted)

    def test_a_lean_reading_of_everything_is_the_whole_reading(self, store):
        entries = chain(300, seed=4)
        store.append(entries)
        store = self.reopen(store)

        kinds = {entry.header.kind for entry in entries}

        assert lean_lines(store, kinds) == lean_lines_of(entries, kinds)

    def test_a_lean_reading_calls_the_decoder_it_was_given_for_wanted_records(self, store):
        entries = chain(300, seed=6)
        store.append(entries)
        seen = {}

        def decode(raw, seq):
            seen[seq] = raw
            return decode_header(raw, seq)

        lines = lean_lines(store, {"EffectReturned"}, decode=decode)

        assert lines == lean_lines_of(entries, {"EffectReturned"})
        wanted = {e.header.seq: e.raw for e in entries if e.header.kind == "EffectReturned"}
        assert not seen or seen.items() >= wanted.items()

    def test_a_reader_that_decodes_calls_the_decoder_it_was_given_once_for_each_record(self, store):
        entries = chain(40, seed=2)
        store.append(entries)
        seen = []

        def decode(raw, seq):
            seen.append((seq, raw))
            return decode_header(raw, seq)

        assert list(store.entries(decode=decode)) == entries
        assert seen in ([], [(entry.header.seq, entry.raw) for entry in entries])

    def test_parts_are_found_by_ordinal(self, store):
        entries = chain(80, seed=2)
        store.append(entries)
        parts = {part.ordinal: part for entry in entries for part in entry.brought}

        wanted = sorted(parts)[::7]
        assert store.parts(wanted) == {ordinal: parts[ordinal] for ordinal in wanted}
        assert store.parts([0, 0]) == {0: parts[0]}
        assert store.parts(sorted(parts)) == parts

    def test_a_part_that_the_run_never_had_is_refused(self, store):
        store.append(chain(3))

        with pytest.raises(IntegrityError):
            store.parts([0, 10_000])

    def test_salts_come_in_order_and_clipped(self, store):
        entries = chain(80, seed=4)
        store.append(entries)
        salts = [part.salt for entry in entries for part in entry.brought]

        assert store.salts(0, len(salts)) == salts
        assert store.salts(3, 9) == salts[3:9]
        assert store.salts(len(salts) - 2, len(salts) + 50) == salts[-2:]
        assert b"" in salts

    def test_holes_keep_their_state_size_and_commitment(self, store):
        run = Chain(6)
        entries = run.take(12)
        states = {0: "erased", 1: "withheld", 2: "missing"}
        holed = [
            msgspec.structs.replace(
                entry,
                brought=tuple(
                    msgspec.structs.replace(part, data=None, salt=b"", state=states[part.ordinal])
                    if part.ordinal in states
                    else part
                    for part in entry.brought
                ),
            )
            for entry in entries
        ]

        store.append(holed)

        assert list(store.entries()) == holed
        assert [store.parts([n])[n].state for n in range(3)] == list(states.values())

    def test_a_gap_in_positions_is_refused_whole_and_the_store_takes_no_more(self, store):
        entries = chain(10)
        store.append(entries[:4])

        with pytest.raises(LogError, match=r"record 6 .* record 5"):
            store.append([entries[4], entries[6]])

        assert list(store.entries()) == entries[:4]
        with pytest.raises(LogError):
            store.append(entries[4:5])

    def test_a_repeated_record_is_refused(self, store):
        entries = chain(3)
        store.append(entries)

        with pytest.raises(LogError):
            store.append(entries[2:])

    def test_a_part_out_of_order_is_refused_whole(self, store):
        entries = chain(3)
        store.append(entries[:2])
        lost = msgspec.structs.replace(
            entries[2],
            brought=(msgspec.structs.replace(entries[0].brought[0], ordinal=999),),
        )

        with pytest.raises(LogError, match="part 999"):
            store.append([lost])

        assert list(store.entries()) == entries[:2]

    def test_a_part_without_its_bytes_that_is_no_hole_is_refused(self, store):
        entry = chain(1)[0]
        empty = tuple(msgspec.structs.replace(part, data=None) for part in entry.brought)

        with pytest.raises(LogError, match="without its bytes"):
            store.append([msgspec.structs.replace(entry, brought=empty)])

    def test_appending_nothing_is_nothing(self, store):
        store.append([])

        assert store.size() == 0

    def test_after_closing_appends_are_refused_and_closing_again_is_harmless(self, store):
        entries = chain(2)
        store.append(entries[:1])

        store.close()
        store.close()

        with pytest.raises(LogError, match="closed"):
            store.append(entries[1:])

    def test_a_batch_of_thousands_is_one_batch(self, store):
        entries = chain(3_000, seed=8)

        store.append(entries)

        frontier = Frontier()
        for entry in self.reopen(store).entries():
            frontier.append(event_leaf(entry.raw))
        expected = Frontier()
        for entry in entries:
            expected.append(event_leaf(entry.raw))
        assert frontier.root() == expected.root()

    def test_reading_goes_on_in_other_threads_while_records_are_appended(self, store):
        entries = chain(240, seed=9)
        store.append(entries[:1])
        problems: list[object] = []
        done = threading.Event()

        def read():
            try:
                while not done.is_set():
                    seen = list(store.entries())
                    if seen != entries[: len(seen)]:
                        problems.append(len(seen))
            except Exception as error:
                problems.append(error)

        readers = [threading.Thread(target=read) for _ in range(2)]
        for reader in readers:
            reader.start()
        for start in range(1, 240, 10):
            store.append(entries[start : start + 10])
        done.set()
        for reader in readers:
            reader.join()

        assert problems == []
        assert list(store.entries()) == entries
