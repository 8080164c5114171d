"""`ritornello schema`: the JSON Schema of what other verbs print."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec
import typer

from orchestrator.cli.app import run_verb
from orchestrator.cli.reading.records import Event
from orchestrator.cli.terminal import emit
from replay.errors import UsageError

__all__ = ["event_schema", "main"]


def schema(
    subject: Annotated[str, typer.Argument(metavar="events", help="What to describe.")],
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Accepted for symmetry: a schema is JSON.")
    ] = False,
) -> int:
    """Print the JSON Schema (2020-12) of one record, as `events --jsonl` prints it.

    Examples:
      ritornello schema events > event.schema.json
    """
    if subject != "events":
        raise UsageError(f"there is no schema of {subject!r}", hint="ritornello schema events")
    text = msgspec.json.encode(event_schema())
    emit((text if as_json else msgspec.json.format(text)).decode())
    return 0


def event_schema() -> dict[str, object]:
    """Return the schema of :class:`~orchestrator.cli.reading.records.Event`, payload and all."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "ritornello/event/1",
        **msgspec.json.schema(Event),
    }


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    run_verb("schema", schema, arguments)
