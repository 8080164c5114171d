"""An interview without an event loop: threads, files, the clock and chance, and one stream.

Reads questions from a file, asks them on three threads, lets a last request stream, and writes what
was said, with times, to another file. Everything is synchronous. It talks to whatever speaks the
Anthropic Messages protocol at ``ANTHROPIC_BASE_URL``::

    ritornello record -- python examples/interview/interview.py questions.txt answers.md
    ritornello replay last
"""

# Written as a user would.
# ruff: noqa: DTZ005

from __future__ import annotations

import random
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import datetime
from pathlib import Path

import anthropic

MODEL = "smollm2"


def ask(client: anthropic.Anthropic, question: str) -> str:
    """Ask one question."""
    answer = client.messages.create(
        model=MODEL,
        max_tokens=32,
        messages=[{"role": "user", "content": question}],
    )
    return " ".join(block.text.strip() for block in answer.content if block.type == "text")


def summary(client: anthropic.Anthropic, said: list[str]) -> str:
    """Let the model sum up, and print it as it comes."""
    with client.messages.stream(
        model=MODEL,
        max_tokens=48,
        system="Sum up in one sentence.",
        messages=[{"role": "user", "content": "\n".join(said)}],
    ) as stream:
        pieces = []
        for text in stream.text_stream:
            print(text, end="", flush=True)
            pieces.append(text)
    print()
    return "".join(pieces)


def main(questions: Path, answers: Path) -> None:
    """Hold the interview."""
    asked = [line.strip() for line in questions.read_text().splitlines() if line.strip()]
    random.shuffle(asked)
    said: list[str] = []
    with anthropic.Anthropic() as client, ThreadPoolExecutor(3) as pool:
        waiting = {pool.submit(ask, client, question): question for question in asked}
        for done in as_completed(waiting):
            line = f"{waiting[done]} {done.result()}"
            print(f"{datetime.now():%H:%M:%S.%f} {line}")
            said.append(line)
        summed_up = summary(client, said)
    lines = [f"# Interview {uuid.uuid4()}", *said, summed_up]
    answers.write_text("\n\n".join(lines) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
