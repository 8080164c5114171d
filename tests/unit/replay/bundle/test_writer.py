import os
import re
import stat
import zipfile

import msgspec
import pytest

from replay.bundle import BundleReader, Statement, limits, spool
from replay.bundle.statements import TIME_STAMP
from replay.errors import BundleError
from replay.events.entry import Part
from replay.events.kinds import OutputWritten
from replay.tree import Checkpoint, NoteSignature
from tests.contract.entries import Chain
from tests.support.bundle_forging import (
    excerpt_about,
    export,
    head_of,
    members_of,
    small_entries,
    uncut,
)


def test_the_same_run_gives_the_same_file(tmp_path):
    first = export(small_entries(), tmp_path / "a.ritornello")
    second = export(small_entries(), tmp_path / "b.ritornello")

    assert first.path.read_bytes() == second.path.read_bytes()
    assert first.identity == second.identity


def test_what_is_read_back_is_what_was_written(tmp_path):
    chain = Chain(3)
    entries = [*chain.take(200), chain.seal()]
    path = tmp_path / "run.ritornello"

    summary = export(entries, path)

    with BundleReader.open(path) as reader:
        found = [(entry.raw, entry.parts, entry.brought) for entry in reader.entries()]
        assert found == [(entry.raw, entry.parts, entry.brought) for entry in entries]
        assert reader.identity == summary.identity
        assert reader.checkpoint == head_of(entries)
        assert reader.run_id == chain.run
        assert reader.verified == summary.verified
        assert summary.verified.events == reader.size() == 201
    assert summary.size_bytes == path.stat().st_size


def test_the_file_is_an_ordinary_zip_with_fixed_dates_and_modes(tmp_path):
    path = tmp_path / "run.ritornello"
    export(small_entries(), path)

    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {info.external_attr >> 16 for info in archive.infolist()} == {0o100600}
    assert names == sorted(names)
    assert names[-1] == "zip.sha256"


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
def test_only_the_owner_may_read_the_file(tmp_path):
    path = tmp_path / "run.ritornello"
    export(small_entries(), path)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["run.ritornello"]


def test_members_are_cut_at_a_mebibyte_and_a_larger_part_stands_alone(tmp_path):
    chain = Chain(2, cut=uncut)
    entries = [chain.next()]
    for size in (400_000, 400_000, 400_000, 3 << 20, 10):
        text = chain.random.randbytes(size // 2).hex().encode()
        body = b'{"messages":["' + text + b'"]}'
        entries.append(chain.record(OutputWritten(stream="stdout", marks=()), body))
    path = tmp_path / "run.ritornello"

    summary = export(entries, path)

    parts = summary.manifest.of_kind("parts")
    ranges = [re.findall(r"0*(\d+)-0*(\d+)\.", member.name)[0] for member in parts]
    assert all(
        member.length <= limits.MEMBER_SIZE_MAX or first == last
        for member, (first, last) in zip(parts, ranges, strict=True)
    )
    assert max(member.length for member in parts) > 3 << 20
    with BundleReader.open(path) as reader:
        assert [entry.brought for entry in reader.entries()] == [e.brought for e in entries]


def test_withheld_parts_leave_counted_holes_and_the_run_still_verifies(tmp_path):
    entries = small_entries()
    path = tmp_path / "run.ritornello"

    summary = export(entries, path, withheld=frozenset({1, 2}))

    with BundleReader.open(path) as reader:
        assert (reader.verified.present, reader.verified.withheld) == (5, 2)
        assert reader.verified.holes == 2
        part = reader.parts([1])[1]
        assert (part.state, part.data, part.salt) == ("withheld", None, b"")
        assert part.commitment == entries[1].brought[0].commitment
        assert reader.checkpoint == head_of(entries)
    everything = b"".join(members_of(path).values())
    assert b"Vivaldi" not in everything
    assert entries[1].brought[0].salt not in everything
    assert summary.verified.withheld == 2


def test_salts_of_withheld_parts_stay_only_when_asked_for(tmp_path):
    entries = small_entries()
    path = tmp_path / "run.ritornello"

    export(entries, path, withheld=frozenset({1, 2}), keep_salts=True)

    with BundleReader.open(path) as reader:
        assert reader.salts(0, 99) == [p.salt for e in entries for p in e.brought]


@pytest.mark.parametrize("state", ["erased", "missing"])
def test_a_hole_of_the_log_stays_the_hole_it_is(tmp_path, state):
    entries = small_entries()
    whole = entries[1].brought[0]
    hole = Part(
        ordinal=whole.ordinal, salt=b"", commitment=whole.commitment, size=whole.size,
        data=None, state=state,
    )  # fmt: skip
    entries[1] = msgspec.structs.replace(entries[1], brought=(hole,))
    path = tmp_path / "run.ritornello"

    summary = export(entries, path, withheld=frozenset({1}))

    assert getattr(summary.verified, state) == 1
    assert summary.verified.withheld == 0
    with BundleReader.open(path) as reader:
        assert reader.parts([1])[1] == hole


def test_a_run_whose_first_payload_is_withheld_still_verifies(tmp_path):
    summary = export(small_entries(), tmp_path / "r.ritornello", withheld=frozenset({0}))

    assert summary.verified.withheld == 1


def test_what_lies_beside_the_run_comes_back(tmp_path):
    entries = small_entries()
    excerpt = excerpt_about(entries)
    said = [
        Statement(media_type="text/x-unknown", data=b"b"),
        Statement(media_type=TIME_STAMP, data=b"token"),
    ]
    signature = NoteSignature("log.example", b"\0\0\0\1", b"not checked here")
    path = tmp_path / "run.ritornello"

    summary = export(
        entries, path, excerpts=[excerpt], statements=[*said, said[0]], signatures=[signature]
    )

    with BundleReader.open(path) as reader:
        assert reader.excerpts() == (excerpt,)
        assert list(reader.statements()) == said  # the shorter media type first
        assert reader.signatures == (signature,)
    verified = summary.verified
    assert (verified.workspace_records, verified.workspace_holes) == (4, 0)
    assert (verified.statements, verified.unknown_statements) == (2, 1)


def test_the_order_in_which_things_are_added_does_not_matter(tmp_path):
    entries = small_entries()
    excerpt = excerpt_about(entries)
    other = msgspec.structs.replace(
        excerpt, checkpoint=Checkpoint("ritornello/workspace/0", 1, bytes(32))
    )
    said = [Statement(media_type="text/x-a", data=bytes((n,))) for n in range(9)]

    one = export(entries, tmp_path / "a.ritornello", excerpts=[excerpt], statements=said)
    two = export(entries, tmp_path / "b.ritornello", excerpts=[excerpt], statements=said[::-1])

    assert one.identity == two.identity
    with pytest.raises(BundleError, match="proof"):
        export(entries, tmp_path / "c.ritornello", excerpts=[excerpt, other])


@pytest.mark.parametrize("name", ["", "text", "Text/plain", "text/plain; a=b", "a/" + "b" * 64])
def test_a_statement_without_a_proper_media_type_is_refused(tmp_path, name):
    with pytest.raises(BundleError, match="media type"):
        export(
            small_entries(),
            tmp_path / "run.ritornello",
            statements=[Statement(media_type=name, data=b"x")],
        )


def damaged():
    entries = small_entries()
    part = entries[2].brought[0]
    worse = msgspec.structs.replace(part, data=part.data.replace(b"s", b"z", 1))
    entries[2] = msgspec.structs.replace(entries[2], brought=(worse,))
    return entries


def misbegun():
    chain = Chain(1)
    return [chain.record(OutputWritten(stream="stdout", marks=()), b"first")]


def continued_behind_the_seal():
    chain = Chain(1)
    return [chain.next(), chain.seal(), chain.next(), chain.seal()]


@pytest.mark.parametrize(
    ("options", "event"),
    [
        ({"entries": damaged()}, 2),
        ({"sealed": False}, None),
        ({"checkpoint": head_of(small_entries()[:5])}, None),
        ({"checkpoint": head_of(small_entries(), run="another")}, None),
        ({"checkpoint": Checkpoint("elsewhere", 6, bytes(32))}, None),
        ({"withheld": frozenset({99})}, None),
        ({"entries": misbegun()}, 0),
        ({"entries": continued_behind_the_seal()}, 2),
        ({"engine": "free text"}, None),
    ],
)
def test_a_log_that_does_not_hold_is_not_exported_and_the_old_file_stays(tmp_path, options, event):
    path = tmp_path / "run.ritornello"
    path.write_bytes(b"what was here before")

    with pytest.raises(BundleError) as caught:
        export(options.pop("entries", small_entries()), path, **options)

    assert caught.value.event == event
    assert path.read_bytes() == b"what was here before"
    assert [each.name for each in tmp_path.iterdir()] == ["run.ritornello"]


def test_limits_of_the_format_hold_the_writer_too(tmp_path, monkeypatch):
    for name, value in (("MEMBERS_MAX", 3), ("FRAME_SIZE_MAX", 200), ("FILE_SIZE_MAX", 1500)):
        with monkeypatch.context() as patch:
            patch.setattr(spool, name, value)
            with pytest.raises(BundleError):
                export(small_entries(), tmp_path / "run.ritornello")
        assert [each.name for each in tmp_path.iterdir()] == []


def test_a_missing_directory_is_an_error_of_the_system(tmp_path):
    with pytest.raises(FileNotFoundError):
        export(small_entries(), tmp_path / "nowhere" / "run.ritornello")


def test_the_engines_version_is_written_and_is_part_of_the_identity(tmp_path):
    first = export(small_entries(), tmp_path / "a.ritornello", engine="1.0.0")
    second = export(small_entries(), tmp_path / "b.ritornello", engine="1.0.1")

    assert (first.manifest.engine, second.manifest.engine) == ("1.0.0", "1.0.1")
    assert first.identity != second.identity
