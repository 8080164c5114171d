"""Three reviewers read one real diff of this repository, in parallel, streaming; a fourth joins.

The diff comes from git and the answers from whatever speaks the Anthropic Messages protocol at
``ANTHROPIC_BASE_URL``: the real cloud, or the local model beside this file. Both are outside, so a
replay needs neither::

    ritornello run examples/review/review.py '{"revision": "HEAD"}'
    ritornello replay last
"""

from __future__ import annotations

import asyncio
import subprocess

import anthropic

from replay import effect, workflow

REVIEWERS = {
    "correctness": "You review code. Name one thing that could be wrong in this change.",
    "clarity": "You review code. Name one thing that is hard to read in this change.",
    "tests": "You review code. Name one test that this change needs.",
}
DIFF_LENGTH_MAX = 1200


@effect
def diff_of(revision: str) -> str:
    """Return the beginning of a revision's diff; git is outside the run, so this is an effect."""
    command = ["git", "show", "--format=%s", "--unified=1", revision, "--", "*.py"]
    shown = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
    return shown.stdout[:DIFF_LENGTH_MAX]


async def reviewer(client: anthropic.AsyncAnthropic, model: str, task: str, diff: str) -> str:
    """Stream one review."""
    async with client.messages.stream(
        model=model,
        max_tokens=40,
        system=task,
        messages=[{"role": "user", "content": f"The change:\n\n{diff}"}],
    ) as stream:
        return "".join([text async for text in stream.text_stream])


@workflow
async def review(revision: str = "HEAD", model: str = "smollm2") -> dict[str, str]:
    """Review a revision of the repository in the current directory."""
    diff = diff_of(revision)
    async with anthropic.AsyncAnthropic() as client, asyncio.TaskGroup() as group:
        tasks = {
            name: group.create_task(reviewer(client, model, task, diff), name=name)
            for name, task in REVIEWERS.items()
        }
    reviews = {name: task.result() for name, task in tasks.items()}
    for name, text in reviews.items():
        print(f"{name}: {text.strip()}\n")
    return reviews
