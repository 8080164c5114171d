"""Programs that are changed and forked in this process, and what holds of every fork."""

from __future__ import annotations

import asyncio

import httpx

import replay
from replay.log.duckdb_store import DuckDBStore
from replay.log.fsck import check
from replay.log.head import read_head
from tests.fault.resuming.cutting import digests, entries_of

NAMES = ("law", "style", "tests")


def bodies(provider, first=0):
    return [request.body.decode() for request in provider.requests[first:]]


async def ask(client, url, text):
    body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": text}]}
    answer = await client.post(f"{url}/v1/messages", json=body)
    return answer.json()["content"][0]["text"]


def ask_at_once(url, text):
    body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": text}]}
    return httpx.post(f"{url}/v1/messages", json=body, timeout=20).text


def reviewers(url, *, changed=(), chair=False, names=NAMES):
    """Reviewers at once, each by name; a changed one asks something else."""

    async def main():
        async with httpx.AsyncClient(timeout=20) as client, asyncio.TaskGroup() as group:
            tasks = {
                name: group.create_task(
                    ask(client, url, f"{name}{' anew' if name in changed else ''}"), name=name
                )
                for name in names
            }
        said = {name: task.result() for name, task in tasks.items()}
        if chair:
            async with httpx.AsyncClient(timeout=20) as client:
                said["chair"] = await ask(client, url, "sum up " + "; ".join(said.values()))
        return said

    return main


def judged(fork, place, program):
    """The fork is a run like any other: sealed, whole, and it replays."""
    report = fork.report
    assert report.verdict == "sealed"
    entries = entries_of(fork.recording.directory)
    assert entries[-1].header.kind == "RunSealed"
    store = DuckDBStore.open(fork.recording.directory, read_only=True)
    try:
        checked = check(store, head=read_head(fork.recording.directory))
    finally:
        store.close()
    assert (checked.integrity, checked.completeness, checked.root) == ("ok", "sealed", report.root)
    replayed = replay.replay(fork.recording, program, workspace=place)
    assert replayed.verdict == "identical", replayed
    return entries


def fork_of(recording, place, program, **more):
    before = digests(recording.directory)
    fork = replay.fork(recording, program, workspace=place, **more)
    assert digests(recording.directory) == before
    return fork
