"""What lies beside a run in a bundle: excerpts of workspaces, statements, signatures."""

import contextlib
import hashlib
import json
import struct

import msgspec
import pytest

from attestations import standalone
from replay.bundle import BundleReader, Statement, keep_attached, read_attached, rewrite_bundle
from replay.bundle.excerpts import excerpt_frames
from replay.bundle.statements import DSSE_ENVELOPE, TIME_STAMP
from replay.errors import BundleError
from replay.events.entry import Part
from replay.events.workspace_kinds import RunAdmitted, RunClosed, WorkspaceCreated
from replay.log.excerpt import excerpt_of
from replay.tree import Checkpoint, NoteSignature, parse_checkpoint, root_of, workspace_leaves
from tests.support import second_reader
from tests.support.bundle_forging import (
    WorkspaceChain,
    excerpt_about,
    export,
    head_of,
    members_of,
    small_entries,
    verify_bytes,
    workspace_records,
)
from tools import forged_run
from tools.bundle_forge import raws, with_manifest, zipped
from tools.forged_run import Record, payload, workspace_frames
from tools.forged_run import members_of as forged_members

RUN = "01JDTESTRUN0000000000000"
SIGNATURE = NoteSignature("witness.example", b"\0\0\0\1", b"cosigned")
TOKEN = Statement(media_type=TIME_STAMP, data=b"token")
ENVELOPE = Statement(media_type=DSSE_ENVELOPE, data=b"{}")


@pytest.fixture
def bundle(tmp_path):
    path = tmp_path / "run.ritornello"
    entries = small_entries()
    export(entries, path, excerpts=[excerpt_about(entries)])
    return path


# --- excerpts ------------------------------------------------------------------------------------


def test_an_excerpt_holds_the_records_about_the_run_and_the_first_one():
    records = workspace_records(small_entries())

    excerpt = excerpt_of(records, RUN)

    assert [record.header.kind for record in excerpt.records] == [
        "WorkspaceCreated",
        "RunRegistered",
        "RunClosed",
        "RunExported",
    ]
    assert excerpt.checkpoint.size == excerpt.records[-1].header.seq + 1 < len(records)
    for record in excerpt.records:
        record.check_place(excerpt.checkpoint)
    assert b"another" not in b"".join(record.payload() for record in excerpt.records)


def test_a_record_of_a_decision_travels_and_every_verifier_takes_it(tmp_path):
    entries = small_entries()
    head = head_of(entries)
    log = WorkspaceChain()
    log.record(WorkspaceCreated(workspace="01JDTESTWORKSPACE0000000"))
    log.record(
        RunAdmitted(
            run=RUN,
            action="resume",
            subject="code",
            name="agent.py",
            digest="",
            verdict="allow",
            judged="allow",
            mode="required",
            policies=("1" * 64,),
            reasons=(("met", "a signer"),),
        )
    )
    log.record(RunClosed(run=RUN, size=head.size, root=head.root.hex(), reason="completed"))
    path = tmp_path / "run.ritornello"
    export(entries, path, excerpts=[excerpt_of(log.entries, RUN)])

    with BundleReader.open(path) as reader:
        (excerpt,) = reader.excerpts()
    assert [each.header.kind for each in excerpt.records][1:] == ["RunAdmitted", "RunClosed"]
    assert excerpt.heads()[2] == root_of(workspace_leaves(each.raw for each in log.entries[:2]))
    assert second_reader.holds(path)
    assert standalone.main([str(path)]) == 0


def test_what_the_workspace_does_later_with_other_runs_does_not_show():
    records = workspace_records(small_entries())

    assert excerpt_of(records, RUN) == excerpt_of(records[:-1], RUN)


def test_a_run_that_no_record_names_has_no_excerpt():
    assert excerpt_of(workspace_records(small_entries()), "unheard-of") is None
    assert excerpt_of([], RUN) is None


def test_a_record_that_was_erased_is_not_about_anybody(bundle):
    records = workspace_records(small_entries())
    (part,) = records[3].brought
    gone = Part(
        ordinal=part.ordinal, salt=b"", commitment=part.commitment, size=part.size,
        data=None, state="erased",
    )  # fmt: skip
    records[3] = msgspec.structs.replace(records[3], brought=(gone,))

    kinds = [record.header.kind for record in excerpt_of(records, RUN).records]

    assert kinds == ["WorkspaceCreated", "RunClosed", "RunExported"]


def test_a_hole_in_a_workspace_record_is_counted(tmp_path):
    entries = small_entries()
    excerpt = excerpt_about(entries)
    record = excerpt.records[1]
    withheld = msgspec.structs.replace(record.parts[0], data=None, salt=b"", state="withheld")
    records = list(excerpt.records)
    records[1] = msgspec.structs.replace(record, parts=(withheld,))
    path = tmp_path / "run.ritornello"

    summary = export(
        entries, path, excerpts=[msgspec.structs.replace(excerpt, records=tuple(records))]
    )

    assert (summary.verified.workspace_records, summary.verified.workspace_holes) == (4, 1)
    assert second_reader.holds(path)


def test_a_bundle_of_less_than_the_workspace_knew_is_refused_by_its_own_workspace(tmp_path):
    entries = small_entries()
    excerpt = excerpt_about(entries)

    with pytest.raises(BundleError, match="knows of 6 records of the run"):
        export(entries[:5], tmp_path / "cut.ritornello", excerpts=[excerpt])


def test_a_bundle_of_a_run_that_went_on_holds_with_what_was_said_before(tmp_path):
    entries = small_entries()
    earlier = excerpt_about(entries[:4])

    summary = export(entries, tmp_path / "on.ritornello", excerpts=[earlier])

    assert summary.verified.workspace_records == 4
    assert second_reader.holds(summary.path)


def test_a_kind_of_workspace_record_that_nobody_knows_is_accepted():
    records = forged_run.workspace_records(0, "")
    records[1] = Record("RunHeld", (payload("RunHeld", run="01M7BADBVNDES0000000000000"),))
    records[3] = Record("KeyRotated", (payload("KeyRotated", size="many", root=None),))
    frames = b"".join(workspace_frames(records))
    members = forged_members()
    name = next(name for name in members if name.startswith("workspace/"))
    data = zipped(raws(with_manifest({**members, name: frames})))

    assert second_reader.holds(data)
    assert verify_bytes(data).workspace_records == 3


def test_every_byte_of_an_excerpt_changed_by_a_forger_who_mends_all_digests():
    members = forged_members()
    name = next(name for name in members if name.startswith("workspace/"))
    wrong = []
    for offset in range(len(members[name])):
        plain = bytearray(members[name])
        plain[offset] ^= 1
        member = "accepted"
        try:
            verify_bytes(zipped(raws(with_manifest({**members, name: bytes(plain)}))))
        except BundleError as error:
            member = error.member
        if member != name:
            wrong.append((offset, member))

    assert wrong == []


def _with_workspace_record(text):
    """A bundle whose third workspace record about the run says this, in whichever spelling."""
    records = forged_run.workspace_records(0, hashlib.sha256(b"").hexdigest())
    records[1] = Record("RunHeld", (text.encode(),))
    return _with_workspace_frames(workspace_frames(records))


@pytest.mark.parametrize(
    ("said", "holds"),
    [
        ('"run":7,"run":"RUN"', True),
        ('"run":"RUN","run":7', False),
        ('"run":"another","run":null', True),
        ('"run":99999999999999999999', False),
        ('"run":1e999', False),
        (r'"x":"\ud800","x":1', False),
        (r'"x":"\\ud800\ud83d\uDE00"', True),
        (r'"x":"\ud83d\u0041"', False),
        ('"kind":7,"run":"RUN","kind":"RunHeld"', True),
        ('"run":"RUN","kind":7', False),
    ],
)
def test_both_verifiers_read_the_same_of_a_repeated_name_or_an_odd_value(said, holds):
    data = _with_workspace_record(f'{{"kind":"RunHeld",{said.replace("RUN", forged_run.RUN)}}}')

    assert second_reader.holds(data) is holds
    with contextlib.nullcontext() if holds else pytest.raises(BundleError, match="record 1"):
        verify_bytes(data)


def _with_workspace_frames(frames):
    members = forged_members()
    name = next(name for name in members if name.startswith("workspace/"))
    return zipped(raws(with_manifest({**members, name: b"".join(frames)})))


def test_a_note_over_the_limit_is_refused_by_both_verifiers_wherever_it_stands():
    frames = workspace_frames(forged_run.workspace_records(0, hashlib.sha256(b"").hexdigest()))

    def signed(size):
        note = Checkpoint(f"ritornello/workspace/{forged_run.WORKSPACE}", *_head_of(frames[0]))
        long = note.note((NoteSignature("k", b"\0\0\0\1", bytes(size)),))
        return _with_workspace_frames([b"\0" + struct.pack("<I", len(long)) + long, *frames[1:]])

    assert second_reader.holds(signed(100_000))
    verify_bytes(signed(100_000))
    assert not second_reader.holds(signed(200_000))
    with pytest.raises(BundleError, match="longer than"):
        verify_bytes(signed(200_000))


def _head_of(frame):
    checkpoint, _ = parse_checkpoint(frame[5:])
    return checkpoint.size, checkpoint.root


def test_a_workspace_record_of_too_many_parts_is_refused_before_they_are_read():
    frames = workspace_frames(forged_run.workspace_records(0, hashlib.sha256(b"").hexdigest()))
    (header,) = struct.unpack_from("<I", frames[1], 1)
    cut = frames[1][: 5 + header] + struct.pack("<I", (1 << 20) + 1)
    data = _with_workspace_frames([frames[0], cut, *frames[2:]])

    assert "no part or too many" in str(second_reader.judged(data).refused)
    with pytest.raises(BundleError, match="lists 1048577 parts"):
        verify_bytes(data)


@pytest.mark.parametrize(
    ("said", "holds"),
    [
        ('"run":5,"run":"RUN"', True),
        ('"run":"RUN","run":5', False),
        ('"run":"RUN","kind":5', False),
        ('"run":99999999999999999999', False),
    ],
)
def test_both_verifiers_read_the_same_run_in_a_first_payload_that_repeats_a_name(said, holds):
    text = f'{{"kind":"RunStarted",{said.replace("RUN", forged_run.RUN)}}}'
    records = forged_run.run_records()
    records[0] = records[0].but(text.encode())
    data = zipped(raws(forged_members(records, beside=False)))

    assert second_reader.holds(data) is holds
    with contextlib.nullcontext() if holds else pytest.raises(BundleError, match="another run"):
        verify_bytes(data)


# --- adding to a bundle --------------------------------------------------------------------------


def test_what_is_added_makes_another_bundle_of_the_same_run(bundle, tmp_path):
    target = tmp_path / "more.ritornello"
    before = members_of(bundle)

    summary = rewrite_bundle(bundle, target, statements=[TOKEN], signatures=[SIGNATURE])

    after = members_of(target)
    beside = ("statements/", "manifest", "zip", "checkpoint")
    assert {n: d for n, d in after.items() if not n.startswith(beside)} == {
        n: d for n, d in before.items() if not n.startswith(beside)
    }
    with BundleReader.open(bundle) as old, BundleReader.open(target) as new:
        assert old.identity != new.identity == summary.identity
        assert old.checkpoint == new.checkpoint
        assert new.signatures == (SIGNATURE,)
        assert list(new.statements()) == [TOKEN]
        # What anybody signs or stamps stands in both.
        body = old.checkpoint.body()
        assert after["checkpoint.note"].startswith(body)
        assert hashlib.sha256(body).digest() == hashlib.sha256(new.checkpoint.body()).digest()
    assert second_reader.holds(target)


def test_adding_nothing_or_what_is_there_changes_nothing(bundle, tmp_path):
    first = rewrite_bundle(bundle, tmp_path / "a.ritornello", statements=[TOKEN])
    again = rewrite_bundle(first.path, tmp_path / "b.ritornello", statements=[TOKEN, TOKEN])
    nothing = rewrite_bundle(bundle, tmp_path / "c.ritornello")

    assert again.identity == first.identity
    assert nothing.path.read_bytes() == bundle.read_bytes()


def test_the_order_of_adding_leaves_no_trace(bundle, tmp_path):
    paths = [tmp_path / f"{n}.ritornello" for n in range(2)]
    for path, said in zip(paths, ([TOKEN, ENVELOPE], [ENVELOPE, TOKEN]), strict=True):
        rewrite_bundle(bundle, path, statements=said[:1])
        rewrite_bundle(path, path, statements=said[1:])

    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_the_engine_that_wrote_a_bundle_stays_named_and_its_cuts_stay(tmp_path):
    foreign = tmp_path / "foreign.ritornello"
    foreign.write_bytes(zipped(raws(forged_members(engine="99.1"))))
    with BundleReader.open(foreign) as reader:
        identity = reader.identity

    summary = rewrite_bundle(foreign, tmp_path / "again.ritornello")

    assert (summary.identity, summary.manifest.engine) == (identity, "99.1")


def test_two_signatures_of_one_key_and_damaged_sources_are_refused(bundle, tmp_path):
    target = tmp_path / "new.ritornello"
    other = NoteSignature(SIGNATURE.name, SIGNATURE.key_id, b"other")
    with pytest.raises(BundleError, match="two signatures of one key"):
        rewrite_bundle(bundle, target, signatures=[SIGNATURE, other])
    damaged = bytearray(bundle.read_bytes())
    damaged[200] ^= 1
    bundle.write_bytes(damaged)
    with pytest.raises(BundleError):
        rewrite_bundle(bundle, target)

    assert [path.name for path in tmp_path.iterdir()] == ["run.ritornello"]


# --- kept with a run -----------------------------------------------------------------------------


def test_what_came_in_beside_a_run_is_kept_and_read_again(bundle, tmp_path):
    full = tmp_path / "full.ritornello"
    rewrite_bundle(bundle, full, statements=[TOKEN, ENVELOPE], signatures=[SIGNATURE])
    directory = tmp_path / "run"
    directory.mkdir()

    with BundleReader.open(full) as reader:
        keep_attached(reader, directory)
        found = read_attached(directory)
        assert found.manifest == reader.manifest
        assert found.excerpts == reader.excerpts()
        assert found.statements == tuple(reader.statements())
        assert found.signatures == (SIGNATURE,)


def test_a_run_that_came_with_nothing_has_nothing(tmp_path):
    assert read_attached(tmp_path) is None


def test_what_was_kept_and_changed_is_refused_by_name(bundle, tmp_path):
    with BundleReader.open(bundle) as reader:
        keep_attached(reader, tmp_path)
    name = next((tmp_path / "attached" / "workspace").iterdir())
    name.write_bytes(name.read_bytes()[:-1] + b"\0")

    with pytest.raises(BundleError, match="digest in the manifest"):
        read_attached(tmp_path)


def test_a_record_that_was_put_among_what_was_kept_is_refused_whatever_the_manifest_says(
    bundle, tmp_path
):
    """Who can write there can write the manifest too, but no record into a log that others saw."""
    with BundleReader.open(bundle) as reader:
        keep_attached(reader, tmp_path)
        (excerpt,) = reader.excerpts()
    other = excerpt_of(workspace_records(small_entries(), others=1), RUN)
    forged = msgspec.structs.replace(excerpt, records=(excerpt.records[0], *other.records[1:]))
    plain = b"".join(excerpt_frames([forged]))
    (name,) = (tmp_path / "attached" / "workspace").iterdir()
    name.write_bytes(plain)
    manifest = tmp_path / "attached" / "manifest.json"
    fields = json.loads(manifest.read_bytes())
    for member in fields["members"]:
        if member["kind"] == "workspace":
            member |= {"digest": hashlib.sha256(plain).hexdigest(), "length": len(plain)}
    manifest.write_bytes(json.dumps(fields, sort_keys=True, separators=(",", ":")).encode())

    with pytest.raises(BundleError, match="workspace record"):
        read_attached(tmp_path)
