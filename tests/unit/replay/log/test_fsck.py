"""One damage at a time: each must be found, named, and never be mistaken for another."""

from __future__ import annotations

import msgspec
import pytest

from replay.errors import IntegrityError, LogError
from replay.events.kinds import EffectReturned, EffectStarted, RunSealed, TaskEnded
from replay.events.payload import encode_head
from replay.log.fsck import check
from replay.log.memory import MemoryStore
from replay.log.record_check import FINDINGS_MAX
from replay.tree import Checkpoint
from tests.support.recordings import RUN_ID, ListReader, Recording, changed, effects, run_started

replace = msgspec.structs.replace
RAW = msgspec.Raw


@pytest.fixture
def run():
    return effects(Recording(), 5).seal()


def codes(result):
    return [finding.code for finding in result.findings]


def with_entry(run, seq, entry):
    run.entries[seq] = entry
    return ListReader(run.entries)


def with_part(run, seq, **fields):
    part = replace(run.entries[seq].brought[0], **fields)
    return with_entry(run, seq, replace(run.entries[seq], brought=(part,)))


def head_of(run, size=None):
    size = len(run.entries) if size is None else size
    return Checkpoint(f"ritornello/run/{RUN_ID}", size, run.root(size))


def test_a_whole_run_is_ok_and_sealed(run):
    store = MemoryStore()
    store.append(run.entries)

    result = check(store, head=head_of(run))

    assert result.findings == ()
    assert (result.integrity, result.completeness, result.head) == ("ok", "sealed", "matches")
    assert result.root == run.root().hex()
    assert result.run == RUN_ID
    assert (result.events, result.inputs, result.derived) == (15, 6, 9)
    assert (result.unknown_kinds, result.omitted) == (0, 0)


def test_a_run_without_a_seal_is_ok_and_open():
    result = check(ListReader(effects(Recording(), 2).entries))

    assert (result.integrity, result.completeness, result.head) == ("ok", "open", "absent")


def test_the_report_is_plain_json(run):
    result = check(ListReader(run.entries[:-1]), head=head_of(run))

    assert msgspec.json.decode(msgspec.json.encode(result), type=type(result)) == result


def test_an_empty_log_is_a_run_that_started_and_recorded_nothing():
    checked = check(ListReader([]))

    assert (checked.integrity, checked.completeness, checked.events) == ("ok", "open", 0)


def test_an_unknown_kind_is_counted_and_verifies():
    run = Recording()
    run.add_head("MoonPhaseSeen", b'{"kind":"MoonPhaseSeen","phase":3}')

    result = check(ListReader(run.seal().entries))

    assert (result.integrity, result.unknown_kinds) == ("ok", 1)


class TestHeader:
    @pytest.mark.parametrize("spoil", [lambda raw: raw + b" ", lambda raw: raw[:-1], lambda _: b""])
    def test_other_bytes_are_no_header(self, run, spoil):
        reader = with_entry(run, 3, replace(run.entries[3], raw=spoil(run.entries[3].raw)))

        result = check(reader)

        assert (result.findings[0].code, result.findings[0].seq) == ("header", 3)

    def test_fields_beside_the_header_must_be_those_in_it(self, run):
        other = replace(run.entries[3].header, time=1)
        reader = with_entry(run, 3, replace(run.entries[3], header=other))

        assert codes(check(reader)) == ["fields"]

    def test_a_missing_record_leaves_a_gap(self, run):
        del run.entries[4]

        result = check(ListReader(run.entries))

        assert "sequence" in codes(result)
        assert (result.integrity, result.completeness) == ("failed", "gaps")

    @pytest.mark.parametrize("causes", [(3,), (2, 2), (2, 1), (9,)])
    def test_causes_ascend_and_lie_below(self, run, causes):
        reader = with_entry(run, 3, changed(run.entries[3], causes=causes))

        assert "causes" in codes(check(reader))

    def test_the_lamport_time_is_computed(self, run):
        reader = with_entry(run, 3, changed(run.entries[3], lamport=9))

        assert ("lamport", 3) in [(f.code, f.seq) for f in check(reader).findings]

    def test_the_task_was_spawned_before(self, run):
        reader = with_entry(run, 3, changed(run.entries[3], task=3))

        assert codes(check(reader)) == ["task"]

    @pytest.mark.parametrize("field", ["origin", "principal", "resource"])
    def test_what_a_header_refers_to_has_been(self, run, field):
        reader = with_entry(run, 3, changed(run.entries[3], **{field: 3}))
        assert codes(check(reader)) == []

        reader = with_entry(run, 3, changed(run.entries[3], **{field: 4}))
        assert codes(check(reader)) == ["reference"]


class TestAnswers:
    def test_an_input_answers_an_earlier_record(self, run):
        reader = with_entry(run, 3, changed(run.entries[3], answers=3))

        assert codes(check(reader)) == ["answers"]

    def test_a_derived_record_answers_nothing(self, run):
        reader = with_entry(run, 4, changed(run.entries[4], answers=1))

        assert codes(check(reader)) == ["answers"]


class TestPayload:
    def test_changed_data_do_not_match_their_commitment(self, run):
        data = run.entries[3].brought[0].data

        assert codes(check(with_part(run, 3, data=data.replace(b"0", b"1", 1)))) == ["part"]

    @pytest.mark.parametrize(
        "fields", [{"salt": b"x" * 16}, {"salt": b"short"}, {"state": "erased"}, {"size": 1}]
    )
    def test_salt_state_and_size_belong_to_the_part(self, run, fields):
        assert "part" in codes(check(with_part(run, 3, **fields)))

    @pytest.mark.parametrize("commitment", [b"", b"c" * 31])
    def test_a_short_commitment_is_refused(self, run, commitment):
        assert "part" in codes(check(with_part(run, 3, commitment=commitment)))

    def test_another_commitment_is_not_the_payloads(self, run):
        result = check(with_part(run, 3, commitment=b"c" * 32))

        assert codes(result) == ["part", "payload"]

    def test_the_size_is_that_of_the_parts(self, run):
        entry = changed(run.entries[3], size=run.entries[3].header.size + 1)

        assert codes(check(with_entry(run, 3, entry))) == ["size"]

    @pytest.mark.parametrize("parts", [(), (-1,), (99,)])
    def test_a_payload_is_made_of_parts_the_run_has(self, run, parts):
        entry = replace(run.entries[3], parts=parts)

        assert codes(check(with_entry(run, 3, entry))) == ["parts"]

    def test_parts_come_in_order(self, run):
        assert "parts" in codes(check(with_part(run, 3, ordinal=7)))

    def test_the_payload_says_what_the_header_says(self, run):
        entry = changed(run.entries[3], kind="FileRead")

        assert codes(check(with_entry(run, 3, entry))) == ["kind"]

    def test_a_payload_that_repeats_a_body_says_its_kind_too(self):
        """A program may print what is also the head of a record; the two share a part."""
        run = Recording()
        head = TaskEnded(error="x" * 2000)
        run.add(EffectStarted(name="print", arguments=RAW(b"{}")), body=encode_head(head))
        run.add(head)

        assert run.entries[2].brought == ()
        assert codes(check(ListReader(run.seal().entries))) == []


class TestHoles:
    def test_an_erased_part_is_counted_once_and_verifies_everywhere(self):
        run = Recording()
        for _ in range(3):
            run.add(TaskEnded())
        run.seal()

        result = check(with_part(run, 1, data=None, salt=b"", state="erased"))

        assert (result.integrity, result.completeness) == ("ok", "sealed")
        assert (result.holes.erased, result.holes.records) == (1, 3)

    def test_withheld_is_not_missing(self, run):
        result = check(with_part(run, 3, data=None, salt=b"", state="withheld"))

        assert (result.integrity, result.completeness) == ("ok", "sealed")
        assert (result.holes.withheld, result.holes.missing) == (1, 0)

    def test_missing_for_no_reason_is_a_gap(self, run):
        result = check(with_part(run, 3, data=None, state="missing"))

        assert (result.integrity, result.completeness) == ("ok", "gaps")
        assert result.holes.missing == 1

    def test_a_part_cannot_be_present_without_data(self, run):
        result = check(with_part(run, 3, data=None))

        assert (codes(result), result.completeness) == (["part"], "gaps")

    def test_the_salt_of_an_erased_part_must_be_gone(self, run):
        assert codes(check(with_part(run, 3, data=None, state="erased"))) == ["part"]

    def test_the_hole_still_binds_the_size_and_the_commitment(self, run):
        reader = with_part(run, 3, data=None, salt=b"", state="erased", size=1)

        assert codes(check(reader)) == ["payload", "size"]

    def test_the_first_record_may_be_erased(self, run):
        result = check(with_part(run, 0, data=None, salt=b"", state="erased"))

        assert (result.integrity, result.run) == ("ok", None)


class TestFrame:
    def test_a_run_begins_with_run_started(self):
        assert codes(check(ListReader(Recording(first=TaskEnded()).entries))) == ["start"]

    def test_a_run_starts_once(self):
        run = Recording()
        run.add(run_started("01K9YYYYYYYYYYYYYYYYYYYYYY"))

        assert codes(check(ListReader(run.entries))) == ["start"]

    def test_the_seal_knows_the_number_of_records(self):
        run = Recording()
        run.add(RunSealed(reason="completed", events=3))

        result = check(ListReader(run.entries))

        assert (codes(result), result.completeness) == (["seal"], "sealed")

    def test_nothing_follows_the_seal(self, run):
        run.add(TaskEnded())

        result = check(ListReader(run.entries))

        assert codes(result) == ["seal"]

    def test_a_run_is_sealed_once(self, run):
        run.add(RunSealed(reason="completed", events=len(run.entries) + 1))

        assert "seal" in codes(check(ListReader(run.entries)))

    def test_a_seal_that_cannot_be_read_is_no_seal(self):
        run = Recording()
        run.add_head("RunSealed", b'{"kind":"RunSealed","events":"two"}')

        assert codes(check(ListReader(run.entries))) == ["seal"]


class TestHead:
    def test_a_shorter_store_is_truncated(self, run):
        head = head_of(run)

        result = check(ListReader(run.entries[:-3]), head=head)

        assert codes(result) == ["truncated"]
        assert (result.integrity, result.completeness, result.head) == (
            "failed",
            "truncated",
            "ahead",
        )

    def test_an_older_head_is_what_a_crash_leaves(self, run):
        result = check(ListReader(run.entries), head=head_of(run, 4))

        assert (result.integrity, result.head) == ("ok", "behind")

    @pytest.mark.parametrize("size", [4, 15])
    def test_another_root_at_its_size_is_damage(self, run, size):
        head = Checkpoint(f"ritornello/run/{RUN_ID}", size, b"r" * 32)

        result = check(ListReader(run.entries), head=head)

        assert (codes(result), result.head) == (["head"], "conflict")

    def test_a_head_of_another_run_is_refused(self, run):
        head = Checkpoint("ritornello/run/another", 15, run.root())

        assert codes(check(ListReader(run.entries), head=head)) == ["origin"]

    def test_an_empty_head_fits_every_run(self, run):
        head = Checkpoint(f"ritornello/run/{RUN_ID}", 0, run.root(0))

        assert check(ListReader(run.entries), head=head).head == "behind"


class TestReader:
    def test_a_reader_that_fails_in_the_middle_gives_a_finding(self, run):
        reader = ListReader(run.entries, fails_at=7, error=IntegrityError("block", where="page 2"))

        result = check(reader)

        assert result.findings[0].code == "unreadable"
        assert result.findings[0].message == "block (page 2)"
        assert (result.events, result.completeness) == (7, "gaps")

    def test_a_reader_that_cannot_be_read_at_all_raises(self, run):
        reader = ListReader(run.entries, fails_at=0, error=LogError("permission denied"))

        with pytest.raises(LogError):
            check(reader)

    def test_fewer_records_than_announced_is_a_finding(self, run):
        result = check(ListReader(run.entries, size=99))

        assert (codes(result), result.completeness) == (["count"], "gaps")

    def test_findings_are_bounded_and_the_rest_counted(self):
        run = Recording()
        for _ in range(FINDINGS_MAX + 20):
            run.add(EffectReturned(), time=5)
        spoilt = [changed(entry, size=entry.header.size + 1) for entry in run.entries]

        result = check(ListReader(spoilt))

        assert len(result.findings) == FINDINGS_MAX
        assert result.omitted == 21


class DecodingReader(ListReader):
    """Decodes with what it is given, as a store does, and hands out what it likes."""

    def __init__(self, entries, changes=lambda entry: entry):
        super().__init__(entries)
        self._changes = changes

    def entries(self, first=0, last=None, *, decode):
        for entry in super().entries(first, last):
            header = decode(entry.raw, entry.header.seq)
            yield self._changes(replace(entry, header=header))


class TestDecodedOnce:
    def test_a_reader_that_decodes_with_the_check_is_believed_no_less_and_no_more(self, run):
        assert check(DecodingReader(run.entries)) == check(ListReader(run.entries))

    def test_bytes_that_are_not_the_decoded_ones_are_decoded_again(self, run):
        def other_bytes(entry):
            return replace(entry, raw=entry.raw.replace(b"{", b"{ ", 1))

        result = check(DecodingReader(run.entries, other_bytes))

        assert set(codes(result)) >= {"header"}

    def test_fields_that_are_not_the_decoded_ones_are_found(self, run):
        def other_fields(entry):
            return replace(entry, header=replace(entry.header, index=entry.header.index + 1))

        result = check(DecodingReader(run.entries, other_fields))

        assert codes(result).count("fields") == len(run.entries)

    def test_a_forged_derived_part_is_found_though_a_replay_would_not_read_it(self, run):
        seq = next(e.header.seq for e in run.entries if e.header.kind == "EffectStarted")
        part = run.entries[seq].brought[0]
        forged = replace(part, data=(part.data or b"").replace(b"a", b"b", 1))
        run.entries[seq] = replace(run.entries[seq], brought=(forged,))

        assert "part" in codes(check(DecodingReader(run.entries)))
