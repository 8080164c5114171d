# ruff: noqa: E501 - programs as text
"""Three tests that a replay which only reads back its recording would fail."""

import asyncio
import types

import msgspec
import pytest

from replay.events.entry import Entry
from replay.events.header import encode_header
from replay.events.kinds import EffectReturned, OutputWritten, role_of
from replay.events.parts import PartTable
from replay.events.payload import decode_payload, encode_head, split
from replay.log.duckdb_store import DuckDBStore
from replay.log.memory import MemoryStore
from replay.session.record import record_program
from replay.session.replay import replay_log
from tests.determinism.programs import captured

PROGRAM = """
import asyncio
import random
import time
from replay.doors.effects import effect

@effect
async def ask(question, style="plain"):
    return f"{question} in {style} words: tempo giusto"

async def poet(subject):
    answer = await ask(subject)
    print("poet:", answer)
    return answer.upper()

async def critic(text):
    await asyncio.sleep(0)
    verdict = await ask("judge " + text, style="harsh")
    print("critic:", verdict)
    return verdict

async def main():
    started = time.time()
    first, second = await asyncio.gather(poet("sea"), poet("wind"))
    print("both", len(first), len(second))
    task = asyncio.create_task(critic(first), name="critic")
    await asyncio.sleep(0.001)
    verdict = await task
    print("lucky", random.random())
    print("late", time.time() - started > 60)
    await ask("farewell")
    return verdict
"""


def loaded(source: str):
    module = types.ModuleType("fake_program")
    exec(compile(source, "program.py", "exec"), module.__dict__)
    return module.main


def replayed(store, main):
    with captured() as out:
        report = replay_log(store, lambda: asyncio.run(main()), dialects=())
    return report, out.getvalue().decode()


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    main = loaded(PROGRAM)
    with captured():
        recorded = record_program(
            lambda: asyncio.run(main()),
            workspace=tmp_path_factory.mktemp("workspace"),
            entry="drawn",
            dialects=(),
        )
    assert recorded.error is None
    store = DuckDBStore.open(recorded.directory, read_only=True)
    yield recorded.root, list(store.entries())
    store.close()


def stored(entries) -> MemoryStore:
    store = MemoryStore()
    store.append(entries)
    return store


def parts_of(entries) -> dict:
    return {part.ordinal: part for entry in entries for part in entry.brought}


def payload_of(entry: Entry, parts: dict):
    data = b"".join(parts[ordinal].data for ordinal in entry.parts)
    return decode_payload(entry.header.media, data)


# --- F1: stripped -------------------------------------------------------------------------------


def stripped(entries) -> list[Entry]:
    """Take away all that no input needs: only headers and salts of it stay."""
    needed = {
        ordinal
        for entry in entries
        if role_of(entry.header.kind) != "derived"
        for ordinal in entry.parts
    }
    return [
        msgspec.structs.replace(
            entry,
            brought=tuple(
                part
                if part.ordinal in needed
                else msgspec.structs.replace(part, data=None, state="missing")
                for part in entry.brought
            ),
        )
        for entry in entries
    ]


def test_a_recording_without_any_derived_payload_is_replayed_to_its_root(recording):
    root, entries = recording
    bare = stripped(entries)
    absent = sum(part.data is None for part in parts_of(bare).values())
    derived = [entry for entry in entries if role_of(entry.header.kind) == "derived"]
    assert absent >= len(derived) - 5  # a few bring no part of their own
    report, out = replayed(stored(bare), loaded(PROGRAM))
    assert report.verdict == "identical", report
    assert report.root_replayed == root
    assert report.derived_computed == len(derived)
    assert report.inputs_taken == len(entries) - len(derived)
    assert "poet: sea in plain words: tempo giusto" in out


def test_a_stripped_recording_still_finds_a_changed_program(recording):
    _, entries = recording
    mutant = PROGRAM.replace('"both"', '"beide"')
    report, _ = replayed(stored(stripped(entries)), loaded(mutant))
    assert (report.verdict, report.divergence.category) == ("diverged", "changed")
    assert report.divergence.replayed_kind == "OutputWritten"


# --- F2: a changed input ------------------------------------------------------------------------


def forged(entries, seq: int, old: bytes, new: bytes) -> list[Entry]:
    """Change a word in one record and commit to everything again, as a forger with the tools."""
    parts = parts_of(entries)
    table = PartTable(lambda ordinal: parts[ordinal].salt if ordinal in parts else bytes(16))
    again = []
    for entry in entries:
        payload, body = payload_of(entry, parts)
        head = encode_head(payload)
        framed = body if entry.header.media == "framed" else None
        if entry.header.seq == seq:
            assert old in head + body
            head = head.replace(old, new)
            framed = None if framed is None else framed.replace(old, new)
        refs, brought, commitment, size = table.commit(split(head, framed))
        header = msgspec.structs.replace(entry.header, commitment=commitment, size=size)
        again.append(Entry(header=header, raw=encode_header(header), parts=refs, brought=brought))
    return again


def test_the_forger_reproduces_an_unchanged_record_byte_for_byte(recording):
    _, entries = recording
    again = forged(entries, -1, b"", b"")
    assert [entry.raw for entry in again] == [entry.raw for entry in entries]


def answers_of(entries):
    parts = parts_of(entries)
    for entry in entries:
        if entry.header.kind == "EffectReturned":
            payload, _ = payload_of(entry, parts)
            assert isinstance(payload, EffectReturned)
            yield entry.header.seq, bytes(payload.value)


@pytest.mark.parametrize("number", range(3))
def test_a_changed_word_in_an_answer_is_printed_and_diverges_where_it_is_printed(number, recording):
    _, entries = recording
    seq, _ = list(answers_of(entries))[number]
    report, out = replayed(stored(forged(entries, seq, b"giusto", b"rubato")), loaded(PROGRAM))
    assert "tempo rubato" in out
    assert report.verdict == "diverged"
    divergence = report.divergence
    parts = parts_of(entries)
    # The first derived record after it that rests on it: what the poet or the critic prints.
    expected = next(
        entry.header.seq
        for entry in entries[seq + 1 :]
        if entry.header.kind == "OutputWritten" and b"giusto" in payload_of(entry, parts)[1]
    )
    assert (divergence.seq, divergence.category) == (expected, "changed")
    assert {divergence.recorded_kind, divergence.replayed_kind} == {"OutputWritten"}
    assert [field for field in divergence.fields if "rubato" in str(field.replayed)]
    assert not [field for field in divergence.fields if "rubato" in str(field.recorded)]


def test_a_forger_who_also_changes_the_output_is_found_at_the_next_consequence(recording):
    _, entries = recording
    parts = parts_of(entries)
    seq = next(answers_of(entries))[0]
    printed = next(
        entry.header.seq
        for entry in entries[seq + 1 :]
        if entry.header.kind == "OutputWritten" and b"giusto" in payload_of(entry, parts)[1]
    )
    once = forged(entries, seq, b"giusto", b"rubato")
    twice = forged(once, printed, b"giusto", b"rubato")
    report, out = replayed(stored(twice), loaded(PROGRAM))
    assert "tempo rubato" in out
    assert report.verdict == "diverged"
    # Its upper case goes to the critic; only a forger who runs the program gets that right.
    assert report.divergence.seq > printed
    assert report.divergence.replayed_kind == "TaskSpawned"
    (field,) = (f for f in report.divergence.fields if f.path == "arguments.text")
    assert "RUBATO" in str(field.replayed)


# --- F3: mutants --------------------------------------------------------------------------------

#: name: old text, new text, (category, kind computed, kind recorded).
MUTANTS = {
    "argument of an effect": (
        '"judge "',
        '"grade "',
        ("changed", "EffectStarted", "EffectStarted"),
    ),
    "argument of a task": (
        'poet("wind")',
        'poet("rain")',
        ("changed", "TaskSpawned", "TaskSpawned"),
    ),
    "other default": (
        'style="plain"',
        'style="rich"',
        ("changed", "EffectStarted", "EffectStarted"),
    ),
    "dropped await": (
        '    await ask("farewell")\n',
        "",
        ("order", "TaskEnded", "EffectStarted"),
    ),
    "extra sleep that changes the order": (
        "    answer = await ask(subject)\n",
        '    if subject == "sea":\n        await asyncio.sleep(0)\n    answer = await ask(subject)\n',
        ("order", "EffectStarted", "EffectStarted"),
    ),
    "swapped gather": (
        'poet("sea"), poet("wind")',
        'poet("wind"), poet("sea")',
        ("changed", "TaskSpawned", "TaskSpawned"),
    ),
    "renamed task": (
        'name="critic"',
        'name="reviewer"',
        ("changed", "TaskSpawned", "TaskSpawned"),
    ),
    "extra print": (
        '    print("both"',
        '    print("and now")\n    print("both"',
        ("changed", "OutputWritten", "OutputWritten"),
    ),
    "missing print": (
        '    print("both", len(first), len(second))\n',
        "",
        ("order", "TaskSpawned", "OutputWritten"),
    ),
    "other clock": ("time.time() - started", "time.monotonic() - started", ("clock", None, None)),
    "one reading more": (
        '    print("late"',
        '    time.time()\n    print("late"',
        ("clock", None, None),
    ),
    "one reading less": (
        "    started = time.time()\n",
        "    started = 0\n",
        ("order", "TaskSpawned", "ReadingsTaken"),
    ),
    "one random number more": (
        '    print("lucky"',
        '    random.random()\n    print("lucky"',
        ("changed", "OutputWritten", "OutputWritten"),
    ),
    "one task more": (
        "    verdict = await task\n",
        "    verdict = await asyncio.ensure_future(asyncio.wait_for(asyncio.shield(task), 9))\n",
        ("extra", "TaskSpawned", None),
    ),
    "other result": (
        "    return verdict\n'''",
        "",
        ("changed", "RunEnded", "RunEnded"),
    ),
    "an exception": (
        '    await ask("farewell")\n',
        "    raise RuntimeError\n",
        ("order", "TaskEnded", "EffectStarted"),
    ),
}


def mutant_of(name: str) -> str:
    old, new, _ = MUTANTS[name]
    if name == "other result":
        return PROGRAM[: PROGRAM.rindex("return verdict")] + "return verdict + '!'\n"
    assert PROGRAM.count(old) == 1
    return PROGRAM.replace(old, new)


@pytest.mark.sample(3)
@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_diverges_where_it_differs_and_is_named_rightly(name, recording):
    _, entries = recording
    report, _ = replayed(stored(entries), loaded(mutant_of(name)))
    assert report.verdict == "diverged"
    divergence = report.divergence
    print(divergence)
    category, computed, recorded = MUTANTS[name][2]
    assert divergence.category == category
    if computed:
        assert divergence.replayed_kind == computed
    if recorded:
        assert divergence.recorded_kind == recorded
    # All before it was computed again and equal.
    assert report.events == divergence.seq
    assert report.live_effects == 0


#: Changes that are none: name, and pairs of old and new text.
NULL_MUTANTS = {
    "renamed local": (("verdict = await task", "judged = await task"), ("return verdict\n'''", "")),
    "comment": (("    started =", "    # when it all began\n    started ="),),
    "helper coroutine without a task": (
        ('    verdict = await ask("judge " + text, style="harsh")\n', "    verdict = await judge(text)\n"),
        ("async def critic", 'async def judge(text):\n    return await ask("judge " + text, style="harsh")\n\nasync def critic'),
    ),
    "one print as two": (
        ('print("both", len(first), len(second))', 'print("both", end=" ")\n    print(len(first), len(second))'),
    ),
    "unused import and constant": (("import time\n", "import time\nimport json\nTEMPO = 120\n"),),
}  # fmt: skip


@pytest.mark.parametrize("name", NULL_MUTANTS)
def test_a_null_mutant_is_identical(name, recording):
    root, entries = recording
    source = PROGRAM
    if name == "renamed local":
        head, tail = source.split("    verdict = await task\n")
        source = (
            head + "    judged = await task\n" + tail.replace("return verdict", "return judged")
        )
    else:
        for old, new in NULL_MUTANTS[name]:
            assert source.count(old) == 1
            source = source.replace(old, new)
    report, _ = replayed(stored(entries), loaded(source))
    assert (report.verdict, report.divergence) == ("identical", None)
    assert report.root_replayed == root


def test_a_moved_function_is_no_change(recording):
    _, entries = recording
    start, end = PROGRAM.index("async def poet"), PROGRAM.index("async def critic")
    stop = PROGRAM.index("async def main")
    moved = PROGRAM[:start] + PROGRAM[end:stop] + PROGRAM[start:end] + PROGRAM[stop:]
    report, _ = replayed(stored(entries), loaded(moved))
    assert report.verdict == "identical"


def test_output_is_part_of_what_is_compared(recording):
    _, entries = recording
    parts = parts_of(entries)
    written = [
        payload_of(entry, parts) for entry in entries if entry.header.kind == "OutputWritten"
    ]
    assert all(isinstance(payload, OutputWritten) for payload, _ in written)
    assert b"critic:" in b"".join(body for _, body in written)
