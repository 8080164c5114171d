"""The second verifier as a command: alone in a folder, on hostile files, and in what it says."""

import io
import json
import os
import shutil
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attestations import standalone
from attestations.standalone import main, verify
from replay.errors import BundleError
from tests.support import second_reader
from tests.support.bundle_forging import verify_bytes
from tools.bundle_forge import raws, with_manifest, zipped
from tools.forged_run import Record, head_of, members_of, payload, run_records

MEMBERS = members_of()
WHOLE = zipped(raws(MEMBERS))
ROOT = head_of(run_records())[1]
#: A program that runs the file given first with what follows, and says which modules it took.
ALONE = """
import runpy, sys
sys.argv = sys.argv[1:]
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
finally:
    ours = {"replay", "orchestrator", "attestations", "msgspec", "duckdb", "httpx", "zstandard"}
    sys.stderr.write(repr(sorted(ours & {name.split(".")[0] for name in sys.modules})))
"""


@pytest.fixture
def bundle(tmp_path):
    path = tmp_path / "run.ritornello"
    path.write_bytes(WHOLE)
    return path


def said(capsys, *arguments):
    code = main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    assert err == "" or code == 4
    return code, out + err


def told(capsys, *arguments):
    code, out = said(capsys, *arguments, "--json")
    return code, json.loads(out)


def test_copied_alone_it_verifies_with_nothing_of_ours_loaded(bundle, tmp_path):
    copy = tmp_path / "elsewhere" / "standalone.py"
    copy.parent.mkdir()
    shutil.copy(standalone.__file__, copy)
    (tmp_path / "elsewhere" / "replay.py").write_text("raise SystemExit('imported')")

    done = subprocess.run(
        [sys.executable, "-I", "-c", ALONE, copy, bundle],
        cwd=copy.parent,
        check=False,
        capture_output=True,
        text=True,
    )

    assert (done.returncode, done.stderr) == (0, "[]")
    assert "integrity     ok\n" in done.stdout


def test_it_says_what_held_and_what_it_did_not_check(bundle, capsys):
    code, out = said(capsys, bundle)

    assert code == 0
    assert out.splitlines()[1:5] == [
        "integrity     ok",
        "completeness  sealed",
        "authenticity  not checked",
        "anchoring     not checked",
    ]
    assert "statements    2 other, not checked\n" in out
    assert f"root          {ROOT}\n" in out


def test_a_bundle_without_a_word_of_others_is_unsigned(tmp_path, capsys):
    path = tmp_path / "run.ritornello"
    path.write_bytes(zipped(raws(members_of(run_records()[:-1], beside=False))))

    code, report = told(capsys, path)

    assert code == 0
    assert (report["completeness"], report["authenticity"]) == ("open", "unsigned")


def test_its_json_has_the_documented_fields(bundle, tmp_path, capsys):
    page = Path("docs/reference/standalone.md").read_text()
    fields = page.split("## `--json`")[1].split("## Limits")[0]
    code, report = told(capsys, bundle)
    bundle.write_bytes(WHOLE[:-1])
    refused_code, refused = told(capsys, bundle)

    assert (code, refused_code) == (0, 3)
    assert list(report) == list(refused)
    assert [name for name in report if f"`{name}`" not in fields] == []
    assert refused["refused"] == {
        "member": "end record",
        "rule": "is not in its fixed form",
        "event": None,
    }


@pytest.mark.parametrize("name", ["root", "identity"])
def test_what_is_known_from_elsewhere_is_compared(bundle, capsys, name):
    own = told(capsys, bundle)[1][name]

    assert said(capsys, bundle, f"--{name}", own)[1].endswith(f"{'given ' + name:14}equal\n")
    code, out = said(capsys, bundle, f"--{name}", "0" * 64)
    assert code == 3
    assert "integrity     ok\n" in out
    assert out.endswith(f"{'given ' + name:14}differs\n")


def test_the_exit_code_of_a_wrong_command_line_is_2_and_of_no_file_4(tmp_path, capsys):
    for arguments in ([], ["x", "--root", "abc"], ["x", "--what"]):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 2
    capsys.readouterr()

    for name in ("absent", "a\0b", "\udcff\x1b[31m"):
        code, out = said(capsys, tmp_path / name)
        assert code == 4
        assert out.isascii()
        assert out.rstrip("\n").isprintable()


def test_what_is_no_regular_file_is_refused_and_never_waited_for(tmp_path, capsys):
    os.mkfifo(tmp_path / "pipe")

    for path in (tmp_path / "pipe", tmp_path, Path("/dev/zero")):
        code, report = told(capsys, path)
        assert (code, report["refused"]["rule"]) == (3, "is not a regular file")


def test_a_hostile_name_does_nothing_to_a_terminal(tmp_path, capsys):
    path = tmp_path / "\x1b]0;owned\x07\u202e.ritornello"
    path.write_bytes(zipped(raws({**MEMBERS, "\x1b[2Jx": b"data"})))

    code, out = said(capsys, path)

    assert code == 3
    assert out.replace("\n", "").isascii()
    assert out.replace("\n", "").isprintable()


def test_a_run_cut_short_behind_its_workspace_is_truncated(tmp_path, capsys):
    short = members_of(run_records()[:-1], beside=False)
    name = next(name for name in MEMBERS if name.startswith("workspace/"))
    path = tmp_path / "short.ritornello"
    path.write_bytes(zipped(raws(with_manifest({**short, name: MEMBERS[name]}))))

    code, report = told(capsys, path)

    assert (code, report["integrity"], report["completeness"]) == (3, "failed", "truncated")


def test_a_first_payload_of_one_part_named_many_times_is_never_built():
    start = run_records()[0]
    big = start.but(start.pieces[0], *[b" " * (1 << 19)] * 100)
    data = zipped(raws(members_of([big, *run_records()[1:]], beside=False)))
    tracemalloc.start()
    try:
        refused = verify(io.BytesIO(data)).refused
        with pytest.raises(BundleError) as caught:
            verify_bytes(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert refused.member == caught.value.member == "checkpoint.note"
    assert peak < 12 << 20


def test_what_needs_more_tables_than_it_holds_is_not_judged(monkeypatch, bundle, capsys):
    monkeypatch.setattr(standalone, "_HELD_MAX", 2048)

    code, report = told(capsys, bundle)

    assert (code, report["integrity"]) == (125, "not checked")
    assert report["refused"]["member"].startswith("refs/")


@pytest.mark.parametrize(
    ("start", "holds"),
    [
        (b'{"kind":"RunStarted",RUN}', True),
        (b' {"x":[1.5,-0,1e9],"kind":"RunStarted",RUN} \n', True),
        (b'{"kind":"RunStarted",RUN,"x":"\\ud83d\\ude00"}', True),
        (b'{"run":"no","kind":"RunStarted",RUN}', True),
        (b'{"kind":"RunStarted",RUN,"x":' + b"9" * 5000 + b"}", True),
        (b'{"kind":"RunStarted",RUN,"run":"no"}', False),
        (b'{"kind":"RunEnded",RUN}', False),
        (b"{RUN}", False),
        (b'{"kind":"RunStarted",RUN,"x":"\\ud800"}', False),
        (b'{"kind":"RunStarted",RUN,"x":"\xff"}', False),
        (b'{"kind":"RunStarted",RUN,"x":NaN}', False),
        (b'\xef\xbb\xbf{"kind":"RunStarted",RUN}', False),
        (b'{"kind":"RunStarted",RUN}\nbody', False),
        (b'{"kind":"RunStarted",RUN,"x":' + b"[" * 200_000 + b"]" * 200_000 + b"}", False),
        (b'[{"kind":"RunStarted",RUN}]', False),
        (b'{"kind":"RunStarted","run":null}', False),
    ],
)
@pytest.mark.parametrize("media", ["json", "framed"])
def test_both_readers_look_into_the_first_payload_alike(start, media, holds):
    run = json.loads(run_records()[0].pieces[0])["run"]
    first = run_records()[0].but(start.replace(b"RUN", b'"run":"%b"' % run.encode()), media=media)
    data = zipped(raws(members_of([first, *run_records()[1:]], beside=False)))

    assert second_reader.holds(data) == holds
    assert engine_member(data) == (None if holds else "checkpoint.note")


def engine_member(data):
    try:
        verify_bytes(data)
    except BundleError as error:
        return error.member
    return None


def agreed(data):
    """Whether both refuse it, or neither."""
    return (engine_member(data) is None) == second_reader.holds(data)


def changed(data, whole):
    """A good bundle with a few bytes flipped, put in or taken out."""
    bytes_ = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(bytes_)))
        stop = data.draw(st.integers(start, min(start + 4, len(bytes_))))
        bytes_[start:stop] = data.draw(st.binary(max_size=4))
    return bytes(bytes_)


@given(st.data())
def test_both_agree_on_changed_files(data):
    assert agreed(changed(data, WHOLE))


@pytest.mark.full
@given(st.data())
@settings(max_examples=10_000)
def test_both_agree_on_many_changed_files(data):
    assert agreed(changed(data, WHOLE))


@pytest.mark.full
@given(st.data())
@settings(max_examples=10_000)
def test_both_agree_on_many_changed_members_that_were_listed_anew(data):
    name = data.draw(st.sampled_from(sorted(set(MEMBERS) - {"manifest.json"})))
    members = {**MEMBERS, name: changed(data, MEMBERS[name])}

    assert agreed(zipped(raws(with_manifest(members))))


@pytest.mark.full
@given(st.data())
@settings(max_examples=10_000)
def test_both_agree_on_many_changed_payloads_that_were_committed_to_anew(data):
    records = run_records()
    at = data.draw(st.sampled_from([0, 6]))
    records[at] = records[at].but(changed(data, records[at].pieces[0]))

    assert agreed(zipped(raws(members_of(records))))


def test_records_of_kinds_that_nobody_knows_hold():
    records = run_records()
    records[3] = Record("SomethingNew", (payload("SomethingNew", x=1),))

    assert second_reader.holds(zipped(raws(members_of(records))))
