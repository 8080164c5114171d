"""Explanations of hostile, erased and unknown records: bounded, and never an error."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.cli.reading.explanation import Explained, code_lines, divergence_lines, on_disk
from replay.events.code_kinds import CodeLoaded, SourceFile
from replay.events.kinds import (
    EffectReturned,
    EffectStarted,
    FileRead,
    Reading,
    ReadingsTaken,
    RequestSent,
    RunEnded,
    TaskSpawned,
)
from replay.forensics.classes import GENERIC_ROLES, classify, role_of_field
from replay.forensics.explain import explain, look_at_code
from replay.forensics.explain_code import lines_near, recorded_code
from replay.forensics.fed_by import fed_by
from replay.log.memory import MemoryStore
from replay.recording.divergence import Divergence, FieldChange
from replay.session.report import Report
from tests.support.recordings import Recording

STEERING = "\x1b]0;owned\x07 the tide comes in tonight \u202e"


def store_of(recording) -> MemoryStore:
    store = MemoryStore()
    store.append(recording.entries)
    return store


def effect(recording, name, value, **more):
    asked = recording.add(EffectStarted(name=name, arguments=msgspec.Raw(b"{}")), **more)
    answer = EffectReturned(value=msgspec.Raw(msgspec.json.encode(value)))
    return recording.add(answer, answers=asked, part=0, **more)


def changed(seq, recorded, replayed, path="arguments.prompt"):
    return Divergence(
        seq=seq,
        category="changed",
        recorded_kind="EffectStarted",
        replayed_kind="EffectStarted",
        task="0",
        fields=(FieldChange(path, recorded, replayed),),
    )


def nothing(request: RequestSent, body: bytes) -> None:
    return None


def test_only_inputs_that_causally_precede_are_named():
    run = Recording()
    before = effect(run, "near", "the tide comes in tonight")
    spawned = TaskSpawned(label="x", ordinal=0, arguments=msgspec.Raw(b"{}"), seed="0" * 32)
    effect(run, "elsewhere", "the moon goes down at dawn", task=run.add(spawned))
    seq = run.add(EffectStarted(name="ask", arguments=msgspec.Raw(b"{}")))
    text = "the tide comes in tonight and the moon goes down at dawn"
    found = fed_by(store_of(run), seq, changed(seq, text, text).fields)

    assert [(each.event, each.what) for each in found] == [(before, "result of near")]


def test_words_of_the_programs_own_source_are_left_out():
    run = Recording()
    effect(run, "echo", "Sum up the following text: tide tables of 1911")
    seq = run.add(EffectStarted(name="ask", arguments=msgspec.Raw(b"{}")))
    fields = changed(seq, "Sum up the following text: rain", None).fields

    assert fed_by(store_of(run), seq, fields)
    assert not fed_by(store_of(run), seq, fields, b'"Sum up the following text: "')


def test_a_reading_is_found_in_the_form_that_people_write():
    run = Recording()
    time = Reading("time_ns", "", msgspec.Raw(b"1763683200123456789"), 0)
    entropy = Reading("urandom", "16", msgspec.Raw(b'{"base64":"3q2+78r+ur4="}'), 0)
    event = run.add(ReadingsTaken(readings=(time, entropy)))
    seq = run.add(EffectStarted(name="ask", arguments=msgspec.Raw(b"{}")))
    fields = changed(seq, "today 2025-11-21 at 00:00:00, ticket deadbeefcafebabe", None).fields
    found = fed_by(store_of(run), seq, fields)

    assert {each.event for each in found} == {event}
    assert {each.excerpt for each in found} == {"deadbeefcafebabe", "2025-11-21", "00:00:00"}


@given(st.text(max_size=600), st.text(max_size=600), st.binary(max_size=2000))
def test_whatever_is_on_record_an_explanation_comes_to_an_end(recorded, replayed, body):
    run = Recording()
    run.add(FileRead(path=recorded[:50], form="file", size=len(body)), body=body)
    effect(run, "any", replayed)
    seq = run.add(EffectStarted(name="ask", arguments=msgspec.Raw(b"{}")))
    run.add(RunEnded())
    store = store_of(run)
    code = look_at_code(store, lambda path: None, ())
    told = explain(store, changed(seq, recorded, replayed), code, nothing)

    assert len(told.fed_by) <= 8
    assert all(len(each.excerpt) <= 120 for each in told.fed_by)


def test_hostile_text_does_not_reach_the_terminal():
    run = Recording()
    effect(run, STEERING, STEERING)
    seq = run.add(EffectStarted(name="ask", arguments=msgspec.Raw(b"{}")))
    head = CodeLoaded(
        files=(SourceFile(STEERING, "kept", 4, ""),), distributions=((STEERING, STEERING),)
    )
    run.add(head, body=b"\x1b[2J")
    store = store_of(run.seal())
    divergence = changed(seq, STEERING, STEERING + STEERING)
    code = look_at_code(store, lambda path: b"\x1b[31m\n", ((STEERING, "2"),))
    told = explain(store, divergence, code, nothing)
    report = Report(
        verdict="diverged",
        run="x",
        events=1,
        root_recorded="",
        root_replayed="",
        live_effects=0,
        guard="process",
        inputs_taken=0,
        derived_computed=0,
        divergence=divergence,
    )
    lines = [
        *divergence_lines(report, {}, Explained(code=code, divergence=told)),
        *code_lines(code),
    ]

    assert told.fed_by
    assert code.changes
    assert code.versions
    assert all(line.isprintable() for line in lines)
    assert not any("\x1b" in line or "\u202e" in line for line in lines)


@pytest.mark.parametrize(
    "path", ["../secret.txt", "/etc/passwd", "/etc/hosts", "a/../../x.cfg", "\0"]
)
def test_a_record_cannot_have_any_file_of_this_machine_read(path, tmp_path):
    (tmp_path / "secret.txt").write_text("x")
    (tmp_path / "in").mkdir()
    assert on_disk(tmp_path / "in", path) is None


def test_a_run_without_a_note_of_its_source_is_unknown():
    store = store_of(Recording().seal())
    assert recorded_code(store) is None
    assert look_at_code(store, lambda path: b"", ()).state == "unknown"


def test_files_that_are_nowhere_were_looked_for_in_another_place():
    run = Recording()
    run.add(CodeLoaded(files=(SourceFile("a.py", "kept", 1, ""),), distributions=()), body=b"x")
    code = look_at_code(store_of(run.seal()), lambda path: None, ())
    assert (code.state, code.changes) == ("unknown", ())


def test_the_lines_nearest_to_the_place_are_shown():
    before = b"".join(b"line %d\n" % n for n in range(100))
    after = before.replace(b"line 10\n", b"line ten\n").replace(b"line 80\n", b"line eighty\n")
    assert lines_near(before, after, 78) == (
        2,
        2,
        (" line 79", "-line 80", "+line eighty", " line 81"),
    )
    assert lines_near(before, after, None)[2][1] == "-line 10"


@pytest.mark.parametrize(
    ("path", "role"),
    [
        ("messages[3].content[0].text", "prompt"),
        ("tools[0].input_schema.properties.city", "tool schema"),
        ("generationConfig.temperature", "model"),
        ("modelling", None),
        ("metadata.user", None),
    ],
)
def test_a_field_is_what_stands_above_it(path, role):
    assert role_of_field(path, GENERIC_ROLES) == role


def test_what_a_task_is_called_with_is_read_as_what_an_effect_is():
    spawned = msgspec.structs.replace(
        changed(7, '"read it"', '"weigh it"'),
        recorded_kind="TaskSpawned",
        replayed_kind="TaskSpawned",
    )

    judged = classify(spawned, roles=None, dialect="", source="changed", dependencies=())

    assert (judged.sort, judged.basis) == ("prompt", "names")
