"""Two runs, record by record: what is aligned with what, what comes first, and what follows."""

from __future__ import annotations

import msgspec
import pytest

from replay.errors import IntegrityError
from replay.events.kinds import (
    ChunksReceived,
    EffectReturned,
    EffectStarted,
    FileWritten,
    OutputWritten,
    Reading,
    ReadingsTaken,
    RequestSent,
    ResponseEnded,
    RunEnded,
    StateChanged,
    TaskSpawned,
)
from replay.forensics.diff.compare import compare_runs
from replay.forensics.diff.rules import Rules, parse_rule
from tests.support.conversations import RAW, answer, answer_effect, conversation, end, send, spawn
from tests.support.recordings import ListReader, Recording, changed, run_started


def compared(a, b, *rules, **more):
    given = Rules([parse_rule(rule) for rule in rules])
    return compare_runs(ListReader(a.entries), ListReader(b.entries), given, **more)


def call(run, task, value, *, result="1", name="lookup"):
    asked = run.add(EffectStarted(name=name, arguments=RAW(f'{{"q":{value}}}'.encode())), task=task)
    run.add(EffectReturned(value=RAW(result.encode())), task=task, answers=asked, part=0)
    return asked


def calls(*values, label="worker"):
    run = Recording()
    task = spawn(run, label)
    for value in values:
        call(run, task, value)
    end(run, task)
    return run.seal()


def named(difference):
    return difference.task, difference.kind, difference.index


def test_a_run_and_itself_are_the_same():
    found = compared(conversation(), conversation())

    assert (found.verdict, found.first, found.differences) == ("same", None, ())
    assert found.equal == found.prefix == 23


def test_another_argument_is_the_first_divergence_with_its_field():
    found = compared(calls(1, 2, 3), calls(1, 7, 3))

    assert found.verdict == "different"
    assert named(found.first) == ("worker", "EffectStarted", 1)
    assert found.first.cls == "call"
    (field,) = found.first.fields
    assert (field.path, field.a, field.b) == ("arguments.q", "2", "7")
    assert (found.changed, found.only_a, found.only_b) == (1, 0, 0)


@pytest.mark.parametrize(
    ("values", "cls"),
    [((1, 3), "missing"), ((1, 9, 2, 3), "extra"), ((2, 1, 3), "order"), ((4, 4, 4), "call")],
)
def test_a_call_that_stands_elsewhere_is_missing_extra_or_out_of_order(values, cls):
    assert compared(calls(1, 2, 3), calls(*values)).first.cls == cls


def test_the_first_divergence_is_by_causes_and_not_by_position():
    """B's answer is on record late, but what differs before it is its consequence in A only."""

    def run(left, right, *, late):
        made = Recording()
        one, other = spawn(made, "one"), spawn(made, "other")
        if late:
            call(made, other, 5)
        call(made, one, 1, result=left)
        call(made, one, left)
        if not late:
            call(made, other, 5)
        call(made, other, right)
        return made.seal()

    found = compared(run("10", 1, late=False), run("20", 2, late=True), detailed=9)

    assert named(found.first) == ("one", "EffectReturned", 0)
    assert found.first.cls == "answer"
    assert [(named(each)[0], each.root, each.follows_first) for each in found.differences] == [
        ("one", True, False),
        ("one", False, True),
        ("other", True, False),
    ]
    assert (found.follows, found.independent) == (1, 1)


def test_what_comes_after_by_causes_is_counted_by_task_and_kind():
    def run(result):
        made = Recording()
        one, other = spawn(made, "one"), spawn(made, "other")
        asked = call(made, one, 1, result=result)
        call(made, other, 5)
        call(made, other, 6)
        made.add(
            StateChanged(store="s", key="k", operation="written", version=1), heard=[asked + 1]
        )
        return made

    found = compared(run("1"), run("2"))

    assert found.reached_a == found.reached_b == 1
    (reached,) = found.reached
    assert (reached.task, reached.kind, reached.a, reached.b) == (
        "main-thread",
        "StateChanged",
        1,
        1,
    )


def test_named_tasks_are_the_same_in_whatever_order_they_start():
    def run(*names):
        made = Recording()
        for name in names:
            call(made, spawn(made, name), len(name))
        return made.seal()

    found = compared(run("a", "bb", "ccc"), run("ccc", "a", "bb"))

    assert found.verdict == "same"
    assert found.moved == 3


def test_swapped_siblings_of_one_name_are_out_of_order():
    def run(*values):
        made = Recording()
        for number, value in enumerate(values):
            arguments = RAW(b'{"n":%d}' % value)
            made.add(TaskSpawned(label="w", ordinal=number, arguments=arguments, seed="0" * 32))
        return made.seal()

    found = compared(run(1, 2, 3), run(2, 1, 3))

    assert [(named(each), each.cls) for each in found.differences] == [
        (("w", "TaskSpawned", 0), "order"),
        (("w:1", "TaskSpawned", 0), "order"),
    ]


def test_a_dropped_task_is_missing_with_all_it_did():
    def run(*names):
        made = Recording()
        for name in names:
            call(made, spawn(made, name), len(name))
        return made.seal()

    found = compared(run("a", "b", "c"), run("a", "c"))

    assert named(found.first) == ("b", "TaskSpawned", 0)
    assert found.first.cls == "missing"
    assert (found.only_a, found.only_b) == (3, 0)
    assert {each.task for each in found.differences} == {"b"}
    (row,) = [pair for pair in found.tasks if pair.b is None]
    assert (row.task, row.a.requests) == ("b", 1)


def test_another_model_another_prompt_and_other_tools_are_told_apart():
    def run(body):
        made = Recording()
        sent = RequestSent(method="POST", path="/v1", query="", headers=(), credentials=())
        made.add(sent, body=msgspec.json.encode(body))
        return made.seal()

    base = {"model": "m", "messages": [{"content": "one two three"}], "tools": [{"name": "t"}]}
    found = {
        name: compared(run(base), run(base | {name: value})).first.cls
        for name, value in {
            "model": "other",
            "messages": [{"content": "one two four"}],
            "tools": [{"name": "u"}],
            "temperature": 1,
        }.items()
    }

    assert found == {
        "model": "model",
        "messages": "prompt",
        "tools": "tool schema",
        "temperature": "model",
    }


def test_chunks_are_compared_as_the_answer_they_make():
    def run(*chunks):
        made = Recording()
        sent = RequestSent(method="GET", path="/", query="", headers=(), credentials=())
        asked = made.add(sent, body=b"")
        for part, chunk in enumerate(chunks):
            sizes = ((len(chunk), 5 + part),)
            made.add(ChunksReceived(chunks=sizes), body=chunk, answers=asked, part=part)
        made.add(ResponseEnded(), answers=asked, part=len(chunks))
        return made.seal()

    assert compared(run(b"abc", b"def"), run(b"a", b"bcd", b"ef")).verdict == "same"
    found = compared(run(b"abc", b"def"), run(b"abcdeg"))
    assert named(found.first) == ("main-thread", "ChunksReceived", 0)
    assert found.first.fields[0].a == "abcdef"


def test_output_is_compared_as_what_a_task_wrote_between_two_other_things():
    def run(*pieces):
        made = Recording()
        for piece in pieces:
            made.add(OutputWritten(stream="stdout", marks=((0, len(piece)),)), body=piece)
        return made.seal()

    assert compared(run(b"one ", b"two"), run(b"one two")).verdict == "same"
    found = compared(run(b"one ", b"two"), run(b"one three"))
    assert found.first.cls == "output"
    assert found.outputs.streams[0].path == "stdout"


def test_ids_of_a_provider_are_compared_by_what_they_name():
    def run(identifier, other):
        made = Recording()
        task = spawn(made, "chat")
        exchange = send(made, task)
        answer(made, task, exchange, call=identifier)
        send(made, task, returned=other)
        body = msgspec.json.encode({"tool_use_id": other})
        made.add(
            RequestSent(method="POST", path="/", query="", headers=(), credentials=()),
            body=body,
            task=task,
        )
        return made.seal()

    same = compared(run("toolu_01A", "toolu_01A"), run("toolu_99Z", "toolu_99Z"))
    other = compared(run("toolu_01A", "toolu_01A"), run("toolu_99Z", "toolu_00X"))

    assert same.verdict == "same"
    assert named(other.first) == ("chat", "RequestSent", 2)
    assert other.first.fields[0].path == "body.tool_use_id"


def test_clocks_and_chance_are_ignored_and_named_where_they_stand_before_the_divergence():
    def run(time, home):
        made = Recording()
        made.add(
            ReadingsTaken(
                readings=(
                    Reading("time_ns", "", RAW(str(time).encode()), time),
                    Reading("env", "HOME", RAW(b'"%s"' % home), time),
                )
            )
        )
        call(made, 0, 1)
        return made.seal()

    assert compared(run(1, b"/a"), run(2, b"/a")).verdict == "same"
    found = compared(run(1, b"/a"), run(2, b"/b"), 'source="env HOME"')
    assert found.verdict == "same"
    assert found.ignored == 2
    found = compared(run(1, b"/a"), run(2, b"/b"))
    assert found.first.kind == "ReadingsTaken env HOME"
    assert found.first.cls == "environment"

    strict = compare_runs(
        ListReader(run(1, b"/a").entries), ListReader(run(2, b"/a").entries), Rules(defaults=False)
    )
    assert strict.first.cls == "clock"


def test_an_ignored_difference_that_led_to_the_first_one_is_said():
    def run(time):
        made = Recording()
        value = RAW(str(time).encode())
        made.add(ReadingsTaken(readings=(Reading("time_ns", "", value, time),)))
        call(made, 0, time)
        return made.seal()

    (cause,) = compared(run(1), run(2)).ignored_causes

    assert (cause.rule, cause.count, cause.nearest_a) == ("source=time_ns", 1, 1)


def test_a_rule_keeps_out_what_it_names_and_nothing_else():
    a, b = calls(1, 2), calls(3, 4)

    assert compared(a, b, "kind=EffectStarted field=arguments").verdict == "same"
    assert compared(a, b, "task=work*").verdict == "same"
    assert compared(a, b, "kind=EffectStarted task=other").verdict == "different"
    assert compared(a, b, "kind=EffectReturned").changed == 2


def test_what_was_erased_is_neither_the_same_nor_different():
    def run(value, state):
        made = calls(value)
        holed = [
            msgspec.structs.replace(
                entry,
                brought=tuple(
                    msgspec.structs.replace(part, data=None, state=state) for part in entry.brought
                ),
            )
            if entry.header.kind == "EffectStarted"
            else entry
            for entry in made.entries
        ]
        made.entries = holed
        return made

    found = compared(run(1, "erased"), run(2, "withheld"))

    assert (found.verdict, found.not_compared) == ("not_judged", 1)
    assert compared(run(1, "erased"), run(1, "erased")).verdict == "same"
    assert compared(run(1, "erased"), calls(1, 2)).verdict == "different"


def test_an_open_run_is_compared_as_far_as_it_goes():
    whole = calls(1, 2, 3)
    cut = calls(1, 2, 3)
    del cut.entries[6:]

    found = compared(whole, cut)

    assert found.b.reason is None
    assert (found.changed, found.only_b) == (0, 0)
    assert found.only_a == len(whole.entries) - 6


def test_written_files_and_ends_are_put_side_by_side():
    def run(text, value, *, more=False):
        made = Recording()
        made.add(FileWritten(path="a.txt", mode="w", offset=0, size=len(text)), body=text)
        made.add(FileWritten(path="same", mode="w", offset=0, size=1), body=b"x")
        if more:
            made.add(FileWritten(path="b.txt", mode="w", offset=0, size=1), body=b"y")
        made.add(RunEnded(value=RAW(value)))
        return made

    out = compared(run(b"one", b"1"), run(b"two", b"2", more=True)).outputs

    assert [(each.path, each.size_a, each.size_b) for each in out.files] == [
        ("a.txt", 3, 3),
        ("b.txt", None, 1),
    ]
    assert out.files_same == 1
    assert (out.end_a.value, out.end_b.value) == ("1", "2")


def test_tokens_that_nobody_gave_are_unknown():
    def run(tokens):
        made = Recording()
        task = spawn(made, "chat")
        answer(made, task, send(made, task), tokens=tokens)
        return made.seal()

    found = compared(run((10, 5)), run((None, None)))

    assert found.a.figures.input_tokens == 10
    assert found.b.figures.input_tokens is None
    assert found.a.cost_usd is None


def test_differences_beyond_the_limit_are_counted():
    found = compared(calls(*range(40)), calls(*range(100, 140)), listed=5, detailed=1)

    assert (len(found.differences), found.omitted, found.changed) == (5, 35, 40)
    assert [bool(each.fields) for each in found.differences] == [True, False, False, False, False]


def test_a_changed_start_is_a_divergence_and_other_versions_are_not():
    def run(**fields):
        return Recording(first=msgspec.structs.replace(run_started(), **fields)).seal()

    found = compared(run(versions=(("python", "3.12"),)), run(versions=(("python", "3.13"),)))
    assert found.verdict == "same"
    assert found.set_up[0].path == "versions.python"
    assert compared(run(), run(arguments=("agent.py", "--x"))).first.cls == "arguments"


def test_causes_and_answers_that_cannot_be_are_refused_with_the_place():
    run = calls(1)
    ahead, nothing = list(run.entries), list(run.entries)
    ahead[2] = changed(ahead[2], causes=(2,))
    nothing[3] = changed(nothing[3], answers=3)

    for entries in (ahead, nothing):
        with pytest.raises(IntegrityError) as refused:
            compare_runs(ListReader(entries), ListReader(run.entries))
        assert "event" in refused.value.where


def test_a_deep_chain_of_tasks_and_long_names_stay_bounded():
    def run(value):
        made, task = Recording(), 0
        for number in range(3000):
            task = spawn(made, "x" * 5000 if number == 1 else "t", task=task)
        call(made, task, value)
        return made.seal()

    first = compared(run(1), run(2)).first

    assert len(first.task) < 400
    assert "more)" in first.task


def test_the_answer_of_an_effect_differs_without_its_question():
    def run(value):
        made = Recording()
        task = spawn(made)
        asked = made.add(EffectStarted(name="x", arguments=RAW(b"{}")), task=task)
        answer_effect(made, task, asked, outcome=value)
        return made.seal()

    (field,) = compared(run("ok"), run("timeout")).first.fields

    assert (field.path, field.a, field.b) == ("header.outcome", "ok", "timeout")
