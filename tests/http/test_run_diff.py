"""Unmodified programs recorded twice: what changed between the runs is what comes out first."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.testing import ScriptedProvider
from replay.forensics.diff.compare import compare_runs
from replay.log.duckdb_store import DuckDBStore
from tests.http.driver import LIBRARIES, record
from tests.http.scenes import fake_key
from tests.http.test_frameworks import DESK, FRAMEWORKS, NEWSROOM

#: Processes of a loaded machine; alone they take a second.
pytestmark = pytest.mark.timeout(180)

PROGRAM = """\
import asyncio, os
import anthropic

TOOLS = [{"name": "look", "description": "Looks it up.", "input_schema": {"type": "object"}}]

def text_of(answer):
    return " ".join(str(getattr(block, "text", block.type)) for block in answer.content)

async def ask(client, topic):
    said = await client.messages.create(
        model="large", max_tokens=64, tools=TOOLS,
        messages=[{"role": "user", "content": ASK.format(topic=topic)}])
    again = await client.messages.create(
        model="large", max_tokens=64,
        messages=[{"role": "user", "content": f"Shorter: {text_of(said)} ({topic})"}])
    return text_of(again)

async def main():
    async with anthropic.AsyncAnthropic(base_url=os.environ["BASE_URL"]) as client:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(ask(client, topic), name=topic) for topic in TOPICS]
        with open("report.txt", "w") as report:
            for task in tasks:
                print(task.result())
                report.write(task.result())

ASK = "One line about the {topic}, please, and not a word more."
TOPICS = ("tides", "winds", "rain")
asyncio.run(main())
"""
#: A change of the program, and the class of the first divergence it must give.
VARIANTS = {
    "same": ("", "", None),
    "prompt": ("One line about the", "Two lines about the", "prompt"),
    "model": (
        'model="large", max_tokens=64, tools',
        'model="small", max_tokens=64, tools',
        "model",
    ),
    "tools": ("Looks it up.", "Looks it up at once.", "tool schema"),
    "dropped": ('("tides", "winds", "rain")', '("tides", "rain")', "missing"),
    "added": ('"rain")', '"rain", "snow")', "extra"),
    "reordered": ('("tides", "winds", "rain")', '("rain", "winds", "tides")', None),
    "swapped": ("name=topic", "name='asks'", None),
    "swapped_again": (
        "name=topic) for topic in TOPICS",
        "name='asks') for topic in TOPICS[::-1]",
        None,
    ),
}


class Runs:
    """The program in its variants, each recorded when it is first asked for."""

    def __init__(self, place, pure, wild):
        self._place, self._urls, self._readers = place, (pure, wild), {}

    def __getitem__(self, name):
        if name not in self._readers:
            # The provider's address must not be a difference: it is one place for all.
            old, new, _ = VARIANTS.get(name, ("", "", None))
            url = self._urls[name.startswith("wild")]
            self._readers[name] = _recorded(self._place, name, PROGRAM.replace(old, new, 1), url)
        return self._readers[name]

    def close(self):
        for reader in self._readers.values():
            reader.close()


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    with ScriptedProvider(mode="pure") as pure, ScriptedProvider(mode="wild") as wild:
        found = Runs(tmp_path_factory.mktemp("diff"), pure.base_url, wild.base_url)
        yield found
        found.close()


def _recorded(place, name, text, url):
    (place / name).mkdir()
    program = place / name / "agent.py"
    program.write_text(text.replace('"report.txt"', repr(str(place / "report.txt"))))
    variables = {"BASE_URL": url, "ANTHROPIC_API_KEY": fake_key()}
    run = record(program, place / name / "runs", variables=variables, preload=LIBRARIES)
    assert run.error == ""
    return DuckDBStore.open(Path(run.directory), read_only=True)


def named(difference):
    return difference.task.rpartition("/")[2], difference.kind


@pytest.mark.parametrize(
    "name",
    ["prompt", *(pytest.param(n, marks=pytest.mark.full) for n in ("model", "tools", "added"))],
)
def test_what_was_changed_in_the_program_is_the_first_divergence(runs, name):
    found = compare_runs(runs["base"], runs[name])

    assert found.first.cls == VARIANTS[name][2], found.first
    assert found.first.root


def test_a_changed_prompt_is_shown_word_by_word_with_the_line_that_sent_it(runs):
    first = compare_runs(runs["base"], runs["prompt"]).first

    assert named(first)[1] == "RequestSent"
    (field,) = first.fields
    assert field.path == "body.messages[0].content"
    words = [(each.of, each.text) for each in field.words]
    assert words[:2] == [("a", "One line"), ("b", "Two lines")]
    assert words[-1][0] == "both"
    assert "agent.py:10 ask" in first.place_a


def test_one_program_and_one_set_of_answers_is_the_same_run(runs):
    found = compare_runs(runs["base"], runs["same"])

    assert found.verdict == "same", found.first
    assert found.ignored > 0
    assert found.a.run != found.b.run


@pytest.mark.full
def test_named_tasks_in_another_order_are_the_same_but_for_what_is_printed(runs):
    found = compare_runs(runs["base"], runs["reordered"])

    assert {named(each) for each in found.differences} == {
        ("main", "OutputWritten"),
        ("main", "FileWritten"),
    }
    assert found.first.cls == "output"
    assert found.moved > 0


@pytest.mark.full
def test_siblings_that_swapped_their_work_are_out_of_order(runs):
    found = compare_runs(runs["swapped"], runs["swapped_again"])

    assert found.first.cls == "order"
    assert named(found.first)[1] == "TaskSpawned"


@pytest.mark.full
def test_a_dropped_task_is_missing_and_its_totals_stand_beside_nothing(runs):
    found = compare_runs(runs["base"], runs["dropped"])

    assert named(found.first) == ("winds", "TaskSpawned")
    assert found.first.cls == "missing"
    (winds,) = [pair for pair in found.tasks if pair.task.endswith("/winds")]
    assert winds.b is None
    assert winds.a.requests == 2
    assert winds.a.input_tokens > 0
    assert found.b.figures.requests == found.a.figures.requests - 2


def test_other_answers_are_the_first_divergence_and_the_prompts_made_of_them_follow(runs):
    found = compare_runs(runs["wild"], runs["wild_again"])

    assert found.first.cls == "answer"
    assert found.first.kind == "ChunksReceived"
    assert found.first.fields[0].path == "text"
    roots = [each for each in found.differences if each.root]
    assert {(named(each)[0], each.cls) for each in roots} == {
        (topic, "answer") for topic in ("tides", "winds", "rain")
    }
    assert any(each.cls == "prompt" and not each.root for each in found.differences)
    assert [file.path.rpartition("/")[2] for file in found.outputs.files] == ["report.txt"]
    assert found.outputs.streams[0].path == "stdout"


@pytest.mark.full
@pytest.mark.parametrize("program", [NEWSROOM, DESK], ids=["newsroom", "desk"])
def test_a_program_of_frameworks_recorded_twice_differs_first_in_an_answer(tmp_path, program):
    for name in FRAMEWORKS:
        pytest.importorskip(name)
    readers = []
    with ScriptedProvider(mode="wild") as wild:
        for number in range(2):
            variables = {
                "ANTHROPIC_BASE_URL": wild.base_url,
                "BASE_URL": wild.base_url,
                "ANTHROPIC_API_KEY": fake_key(),
            }
            run = record(program, tmp_path / str(number), variables=variables)
            readers.append(DuckDBStore.open(Path(run.directory), read_only=True))

    found = compare_runs(*readers, listed=10_000)
    itself = compare_runs(readers[0], readers[0])
    for reader in readers:
        reader.close()

    assert itself.verdict == "same"
    assert found.first.cls == "answer", found.first
    assert {each.cls for each in found.differences if each.root} == {"answer"}
