"""A changed program is forked: what changed goes live, what did not is answered from the record."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections import Counter

import httpx
import msgspec
import pytest

import replay
from orchestrator.testing import ScriptedProvider
from replay.errors import ForkError, UsageError
from replay.events.kinds import RunStarted
from replay.events.payload import decode_payload
from replay.log.workspace import Workspace
from tests.fault.forking import NAMES, ask, bodies, fork_of, judged, reviewers
from tests.fault.resuming.cutting import cut, cut_behind, entries_of


@pytest.fixture
def provider():
    with ScriptedProvider(mode="wild") as found:
        yield found


def test_one_prompt_is_changed_and_one_request_goes_out(tmp_path, provider):
    recording = replay.record(reviewers(provider.base_url), workspace=tmp_path)
    looks = []
    program = reviewers(provider.base_url, changed={"style"})
    fork = fork_of(recording, tmp_path, program, approve=lambda look: looks.append(look) or True)

    assert len(provider.requests) == 4
    assert "style anew" in bodies(provider)[3]
    then, now = recording.result(), fork.result()
    assert [then[name] == now[name] for name in NAMES] == [True, False, True]
    (look,) = looks
    (live,) = look.live
    assert live.name.endswith("/v1/messages")
    assert live.task.endswith("main/style")
    assert look.recalled == fork.report.recalled == 2
    assert fork.report.live == look.live
    judged(fork, tmp_path, program)


@pytest.mark.full
def test_the_estimate_names_what_the_like_of_it_used(tmp_path, provider):
    recording = replay.record(reviewers(provider.base_url), workspace=tmp_path)
    looks = []
    program = reviewers(provider.base_url, changed={"style"})
    declined = fork_of(recording, tmp_path, program, approve=looks.append)

    assert declined.report.verdict == "declined"
    (live,) = looks[0].live
    assert live.model == "m"
    assert live.like is not None
    assert looks[0].input_tokens > 0
    assert looks[0].output_tokens > 0
    assert len(provider.requests) == 3
    assert [run.run for run in Workspace.open(tmp_path).runs()] == [recording.run_id]
    with pytest.raises(ForkError, match="there is no fork: declined") as refused:
        declined.result()
    assert refused.value.diagnostics().startswith("fork: there is no fork")


def test_the_common_records_keep_their_bytes_but_the_first(tmp_path, provider):
    recording = replay.record(reviewers(provider.base_url), workspace=tmp_path)
    program = reviewers(provider.base_url, changed={"tests"})
    fork = fork_of(recording, tmp_path, program)
    entries = judged(fork, tmp_path, program)
    parent = entries_of(recording.directory)
    position = fork.report.position

    assert 1 < position < len(parent)
    assert [each.raw for each in entries[1:position]] == [each.raw for each in parent[1:position]]
    assert [[part.salt + part.data for part in each.brought] for each in entries[1:position]] == [
        [part.salt + part.data for part in each.brought] for each in parent[1:position]
    ]
    assert entries[0].raw != parent[0].raw
    started, _ = decode_payload(
        entries[0].header.media, b"".join(part.data for part in entries[0].brought), 0
    )
    assert isinstance(started, RunStarted)
    origin = started.forked_from
    assert (origin.run, origin.root, origin.position) == (
        recording.run_id,
        recording.root,
        position,
    )
    assert started.run == fork.report.run != recording.run_id


@pytest.mark.full
def test_what_follows_from_a_changed_answer_goes_out_too(tmp_path, provider):
    recording = replay.record(reviewers(provider.base_url, chair=True), workspace=tmp_path)
    program = reviewers(provider.base_url, changed={"law"}, chair=True)
    fork = fork_of(recording, tmp_path, program)

    assert [("anew" in body, "sum up" in body) for body in bodies(provider, 4)] == [
        (True, False),
        (False, True),
    ]
    judged(fork, tmp_path, program)


@pytest.mark.full
def test_what_follows_from_the_same_answer_does_not(tmp_path):
    with ScriptedProvider(mode="pure") as provider:
        url = provider.base_url
        recording = replay.record(_thinker(url, "m"), workspace=tmp_path)
        program = _thinker(url, "m", again=True)
        fork = fork_of(recording, tmp_path, program)
        assert len(provider.requests) == 3
        assert fork.result() == recording.result()
    judged(fork, tmp_path, program)


def _thinker(url, text, *, again=False):
    """One that asks, and another one that says what came of it; asking twice changes nothing."""

    async def main():
        async with httpx.AsyncClient(timeout=20) as client:
            said = await ask(client, url, text)
            if again:
                async with asyncio.TaskGroup() as group:
                    group.create_task(ask(client, url, "and another thing"), name="extra")
            return await ask(client, url, f"what does this mean: {said}")

    return main


def test_a_program_that_was_not_changed_is_not_forked(tmp_path, provider):
    recording = replay.record(reviewers(provider.base_url), workspace=tmp_path)
    report = fork_of(recording, tmp_path, reviewers(provider.base_url)).report

    assert (report.verdict, report.run) == ("unchanged", "")
    assert len(provider.requests) == 3
    assert len(Workspace.open(tmp_path).runs()) == 1


@pytest.mark.full
def test_one_reviewer_more_and_one_fewer(tmp_path, provider):
    recording = replay.record(reviewers(provider.base_url), workspace=tmp_path)
    more = reviewers(provider.base_url, names=("taste", *NAMES))
    fork = fork_of(recording, tmp_path, more)
    assert ["taste" in body for body in bodies(provider, 3)] == [True]
    judged(fork, tmp_path, more)

    fewer = reviewers(provider.base_url, names=NAMES[1:])
    fork = fork_of(recording, tmp_path, fewer)
    assert len(provider.requests) == 4
    assert (fork.report.live, fork.report.recalled) == ((), 2)
    judged(fork, tmp_path, fewer)


@pytest.mark.full
def test_behind_an_event_of_ones_choice_everything_is_asked_anew(tmp_path, provider):
    program = reviewers(provider.base_url, chair=True)
    recording = replay.record(program, workspace=tmp_path)
    ends = [e.header.seq for e in entries_of(recording.directory) if e.header.kind == "TaskEnded"]
    fork = fork_of(recording, tmp_path, program, at=ends[2])

    assert ["sum up" in body for body in bodies(provider, 4)] == [True]
    assert fork.result()["law"] == recording.result()["law"]
    assert fork.result()["chair"] != recording.result()["chair"]
    assert fork.report.position == ends[2] + 1
    judged(fork, tmp_path, program)


@pytest.mark.full
@pytest.mark.parametrize("at", [0, 10_000])
def test_an_event_that_is_none_to_fork_behind_is_refused(tmp_path, provider, at):
    program = reviewers(provider.base_url)
    recording = replay.record(program, workspace=tmp_path)
    if at == 0:
        at = -1
    with pytest.raises(UsageError, match="a fork begins behind one of the events"):
        fork_of(recording, tmp_path, program, at=at)


@pytest.mark.full
def test_a_program_that_leaves_its_record_before_that_event_is_not_forked(tmp_path, provider):
    recording = replay.record(reviewers(provider.base_url), workspace=tmp_path)
    size = len(entries_of(recording.directory))
    other = reviewers(provider.base_url, changed={"law"})
    report = fork_of(recording, tmp_path, other, at=size - 2).report

    assert report.verdict == "diverged"
    assert report.divergence is not None
    assert len(provider.requests) == 3
    assert len(Workspace.open(tmp_path).runs()) == 1


# --- runs that are no whole ones --------------------------------------------------------------


@pytest.mark.full
def test_a_run_that_stopped_is_resumed_and_not_forked_where_nothing_was_changed(tmp_path, provider):
    program = reviewers(provider.base_url)
    recording = replay.record(program, workspace=tmp_path / "whole")
    cut_behind(recording, tmp_path / "w", "ResponseEnded")
    with pytest.raises(UsageError, match="stopped without a seal") as refused:
        replay.fork("last", program, workspace=tmp_path / "w")
    assert "resume" in refused.value.hint


@pytest.mark.full
def test_a_run_that_stopped_is_forked_where_the_program_was_changed(tmp_path, provider):
    recording = replay.record(reviewers(provider.base_url), workspace=tmp_path / "whole")
    cut_behind(recording, tmp_path / "w", "ResponseEnded")
    entries = entries_of(recording.directory)
    answered = next(e.header.answers for e in entries if e.header.kind == "ResponseEnded")
    asked = b"".join(part.data for part in entries[answered].brought).decode()
    # Which answer comes first is the provider's affair; one that was still waiting is changed.
    waiting = next(name for name in NAMES if name not in asked)
    program = reviewers(provider.base_url, changed={waiting})
    fork = replay.fork("last", program, workspace=tmp_path / "w")
    # The one that had its answer keeps it; those that had none are asked again.
    sent = Counter(bodies(provider, 3))
    assert len(sent) == 2
    assert sum(f"{waiting} anew" in body for body in sent) == 1
    judged(fork, tmp_path / "w", program)


@pytest.mark.full
def test_a_fork_is_forked(tmp_path, provider):
    recording = replay.record(reviewers(provider.base_url), workspace=tmp_path)
    once = fork_of(recording, tmp_path, reviewers(provider.base_url, changed={"law"}))
    program = reviewers(provider.base_url, changed={"law", "tests"})
    twice = fork_of(once.recording, tmp_path, program)

    assert ["anew" in body for body in bodies(provider, 3)] == [True, True]
    assert twice.result()["law"] == once.result()["law"]
    assert twice.result()["style"] == recording.result()["style"]
    judged(twice, tmp_path, program)


@pytest.mark.full
def test_it_can_be_awaited(tmp_path, provider):
    recording = replay.record(reviewers(provider.base_url), workspace=tmp_path)
    program = reviewers(provider.base_url, changed={"law"})

    async def service():
        return await replay.fork(recording, program, workspace=tmp_path)

    fork = asyncio.run(service())
    assert len(provider.requests) == 4
    judged(fork, tmp_path, program)


@pytest.mark.full
def test_an_erased_answer_is_as_good_as_none(tmp_path, provider):
    recording = replay.record(reviewers(provider.base_url), workspace=tmp_path / "whole")
    entries = entries_of(recording.directory)
    ends = [entry.header for entry in entries if entry.header.kind == "ResponseEnded"]
    gone = {
        ordinal
        for entry in entries
        if entry.header.answers == ends[-1].answers
        for ordinal in entry.parts
    }
    kept = {o for e in entries if e.header.answers != ends[-1].answers for o in e.parts}
    erased = [
        msgspec.structs.replace(
            entry,
            brought=tuple(
                msgspec.structs.replace(part, data=None, salt=b"", state="erased")
                if part.ordinal in gone - kept
                else part
                for part in entry.brought
            ),
        )
        for entry in entries
    ]
    assert gone - kept
    cut(erased, recording.run_id, len(entries), tmp_path / "w")
    program = reviewers(provider.base_url, names=("taste", *NAMES))
    fork = replay.fork("last", program, workspace=tmp_path / "w")
    # The one that is new, and the one whose answer nobody has any more.
    assert len(provider.requests) == 5
    assert fork.report.recalled == 2
    judged(fork, tmp_path / "w", program)


@pytest.mark.full
def test_a_workflow_has_it(tmp_path):
    done = []

    @replay.effect
    async def charge(amount):
        done.append(amount)
        return amount + 1

    def pay(tip):
        async def pay(amount: int) -> int:
            return await charge(amount) + await charge(tip)

        return replay.workflow(pay)

    recording = pay(1).record(9, workspace=tmp_path)
    fork = pay(2).fork(recording.run_id, workspace=tmp_path)
    assert fork.result() == 10 + 3
    assert done == [9, 1, 2]


def _crowd(url, anew):
    """Many agents at once; each asks, waits a little, draws a number, and asks what follows."""

    async def agent(client, number):
        first = await ask(client, url, f"agent {number}{' anew' if number in anew else ''}")
        await asyncio.sleep(random.random() / 100)
        return await ask(client, url, f"{number} {uuid.uuid4()} follows: {first}")

    async def main():
        async with httpx.AsyncClient(timeout=30) as client, asyncio.TaskGroup() as group:
            tasks = [group.create_task(agent(client, n), name=f"agent-{n}") for n in range(24)]
        return [task.result() for task in tasks]

    return main


@pytest.mark.full
@pytest.mark.parametrize("seed", range(6))
def test_of_many_agents_only_those_that_changed_ask(tmp_path, provider, seed):
    chance = random.Random(seed)
    anew = set(chance.sample(range(24), chance.randrange(1, 8)))
    recording = replay.record(_crowd(provider.base_url, set()), workspace=tmp_path)
    program = _crowd(provider.base_url, anew)
    fork = fork_of(recording, tmp_path, program)
    assert len(provider.requests) == 48 + 2 * len(anew)
    assert len(fork.report.live) == 2 * len(anew)
    same = zip(recording.result(), fork.result(), strict=True)
    assert {number for number, (a, b) in enumerate(same) if a != b} == anew
    judged(fork, tmp_path, program)
