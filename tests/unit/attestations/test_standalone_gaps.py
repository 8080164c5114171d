"""What a run says is not in it: both verifiers find the same gaps, at the same events."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attestations import standalone
from attestations.verdicts import parse_requirements
from orchestrator.cli.evidence import uncaptured
from orchestrator.cli.evidence.anchoring import Anchors
from orchestrator.cli.evidence.verifying import Demands, verify_run
from tests.support import second_reader
from tools.bundle_forge import raws, zipped
from tools.forged_run import Record, members_of, payload, run_records

DEMANDS = Demands(requirements=parse_requirements([]), anchors=Anchors(memory=None))
ROOT = Path(__file__).parents[3]


def gap(what, **fields):
    return Record("CaptureGap", (payload("CaptureGap", what=what, **fields),))


def asks(kind="RequestSent"):
    return Record(kind, (payload(kind, name="x"),))


def run_of(*between, sealed=True):
    """A run with these records behind its first three, where they are records 3 and on."""
    records = [*run_records()[:3], *between, run_records()[5]]
    if sealed:
        end = payload("RunSealed", reason="completed", events=len(records) + 1)
        records.append(Record("RunSealed", (end,)))
    return [record.but(lamport=seq) for seq, record in enumerate(records)]


def both(tmp_path, records):
    """Verify by both, which have to agree; return completeness, and the events of the gaps."""
    path = tmp_path / "run.ritornello"
    path.write_bytes(zipped(raws(members_of(records, beside=False))))
    first, second = verify_run(str(path), tmp_path, DEMANDS), second_reader.judged(path)
    assert first.verdicts.integrity.value == second.integrity == "ok", first.verdicts
    assert first.verdicts.completeness.value == second.completeness
    coded = {"not-captured", "no-outcome"}
    found = [each.seq for each in first.verdicts.completeness.findings if each.code in coded]
    assert [gap["event"] for gap in second.gaps] == found
    return second.completeness, found


@pytest.mark.parametrize(
    ("between", "completeness", "at"),
    [
        ([], "sealed", []),
        ([gap("sqlite3", name="x.db")], "gaps", [3]),
        ([gap("own-entropy", name="numpy")], "sealed", []),
        ([gap("own-entropy", name="numpy", another=1)], "sealed", []),
        ([gap(5, name="numpy")], "gaps", [3]),
        ([Record("CaptureGap", (b'{"kind":"CaptureGap"}',))], "gaps", [3]),
        ([gap("own-entropy").but(b'{"kind":"CaptureGap","what":"own-x"}\nbody')], "gaps", [3]),
        ([gap("own-x").but(b'{"kind":"CaptureGap","what":7,"what":"own-x"}')], "sealed", []),
        ([gap("own-x").but(b'{"kind":"CaptureGap","what":"own-x","y":"\\ud800"}')], "gaps", [3]),
        (
            [gap("own-x"), gap("own-x"), gap("mmap", name="f"), gap("mmap", name="f")],
            "gaps",
            [5, 6],
        ),
        ([asks()], "gaps", [3]),
        ([asks("EffectStarted"), asks()], "gaps", [3, 4]),
        (
            [asks(), Record("ResponseEnded", (payload("ResponseEnded"),), {"answers": 3})],
            "sealed",
            [],
        ),
        (
            [asks(), Record("EffectCancelled", (payload("EffectCancelled", effect=3),))],
            "sealed",
            [],
        ),
        ([Record("EffectCancelled", (payload("EffectCancelled", effect=4),)), asks()], "gaps", [4]),
        (
            [asks(), Record("EffectCancelled", (payload("EffectCancelled", effect=3.0),))],
            "gaps",
            [3],
        ),
        (
            [asks(), Record("EffectCancelled", (payload("EffectCancelled", effect=True),))],
            "gaps",
            [3],
        ),
    ],
)
def test_both_verifiers_find_the_same_gaps(tmp_path, between, completeness, at):
    assert both(tmp_path, run_of(*between)) == (completeness, at)


def test_a_request_in_flight_where_a_run_stops_is_no_gap(tmp_path):
    assert both(tmp_path, run_of(asks(), sealed=False)) == ("open", [])
    assert both(tmp_path, run_of(asks(), gap("mmap"), sealed=False)) == ("gaps", [4])


def test_a_payload_that_another_record_brought_is_looked_into_as_well(tmp_path):
    said = b'{"kind":"CaptureGap","what":"own-x"}'
    other = Record("SomethingNew", (b'{"kind":"SomethingNew"}', said))

    assert both(tmp_path, run_of(other, Record("CaptureGap", (said,)))) == ("sealed", [])


def test_a_payload_over_the_limit_of_what_is_looked_into_says_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(standalone, "_READ_MAX", 2000)
    monkeypatch.setattr(uncaptured, "PAYLOAD_READ_MAX", 2000)

    assert both(tmp_path, run_of(gap("own-x", name="y" * 3000))) == ("gaps", [3])


def test_what_is_to_be_looked_into_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(standalone, "_HELD_MAX", 96 * 20)
    records = run_of(*[asks()] * 8)

    report = second_reader.judged(zipped(raws(members_of(records, beside=False))))

    assert (report.integrity, report.completeness) == ("not checked", "not checked")


RECORDS = st.sampled_from(
    [
        gap("own-x", name="n"),
        gap("mmap", name="f"),
        asks(),
        asks("EffectStarted"),
        *(
            Record(kind, (payload(kind),), {"answers": seq})
            for kind in ("ResponseEnded", "EffectReturned")
            for seq in (1, 3, 4)
        ),
        *(
            Record("EffectCancelled", (payload("EffectCancelled", effect=n),))
            for n in (3, 4, 5, 99)
        ),
    ]
)


@given(st.lists(RECORDS, max_size=6), st.booleans())
def test_both_find_the_same_gaps_in_any_order_of_them(tmp_path_factory, drawn, sealed):
    between = []
    for each in drawn:
        if each.header.get("answers", 0) < 3 + len(between):  # else the records do not hold
            between.append(each)

    both(tmp_path_factory.mktemp("any"), run_of(*between, sealed=sealed))


@pytest.mark.parametrize("first", [b'"run":5,', b'"arguments":"agent.py",', b'"seed":null,'])
def test_of_a_repeated_name_in_the_first_payload_the_last_counts_for_both(tmp_path, first):
    start, *others = run_of()
    (said,) = start.pieces
    repeated = said.replace(b'{"kind":"RunStarted",', b'{"kind":"RunStarted",' + first)
    assert repeated != said

    assert both(tmp_path, [start.but(repeated), *others])[0] == "sealed"


def test_the_command_names_the_gaps_and_what_it_does_not_check(tmp_path, capsys):
    path = tmp_path / "run.ritornello"
    path.write_bytes(zipped(raws(members_of(run_of(*[gap("mmap", name="\x1b[2J")] * 10)))))

    assert standalone.main([str(path)]) == 0
    out = capsys.readouterr().out

    assert "completeness  gaps\n" in out
    assert "gap           'event 3: not captured: mmap: \\x1b[2J'\n" in out
    assert "gap           and 2 more\n" in out
    assert "not checked   causal order, Lamport times, tasks, and what answers what\n" in out
    assert standalone.main([str(path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["gap_count"], told["gaps"][9]["event"]) == (10, 12)


@pytest.mark.parametrize("folder", ["good", "bad"])
def test_both_say_the_same_of_every_bundle_that_is_kept(folder, tmp_path):
    """But for what is a matter of the run, which the second one says that it does not check."""
    index = json.loads((ROOT / "bundles" / folder / "INDEX.json").read_text())["bundles"]
    files = (
        dict.fromkeys(index, "good")
        if folder == "good"
        else {entry["file"]: entry["level"] for entry in index}
    )
    wrong = []
    for name, level in files.items():
        path = ROOT / "bundles" / folder / name
        first, second = verify_run(str(path), tmp_path, DEMANDS), second_reader.judged(path)
        said = first.verdicts.integrity.value, first.verdicts.completeness.value
        if level == "run":
            agreed = said[0] == "failed" and "Lamport times" in second.not_checked[0]
        elif said[0] == "failed":
            agreed = second.integrity == "failed"
        else:
            agreed = said == (second.integrity, second.completeness)
        if not agreed:
            wrong.append((name, said, second.integrity, second.completeness))

    assert wrong == []
