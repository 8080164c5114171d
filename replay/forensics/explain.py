"""A divergence explained: its class, what the changed values came from, and what to try next.

Pure over the recorded run: the files on disk, the versions of the replaying side and the meaning of
request fields are given from outside.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Final, Literal, Protocol

import msgspec

from replay.events.exchange_kinds import FieldRole, FieldRoles, RequestSent
from replay.events.kinds import TaskSpawned
from replay.forensics.classes import Basis, ChangeClass, classify
from replay.forensics.explain_code import (
    CodeChange,
    VersionChange,
    code_changes,
    recorded_code,
    source_state,
    version_changes,
)
from replay.forensics.explain_records import entry_at, payload_of
from replay.forensics.fed_by import Fed, fed_by
from replay.forensics.fed_texts import leaves_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from replay.events.entry import Entry
    from replay.log.port import LogReader
    from replay.recording.divergence import Divergence

__all__ = ["CodeFindings", "Explanation", "ReadsFields", "explain", "look_at_code"]

#: How far ahead a task is looked for that was started too early.
_LOOK_AHEAD: Final = 256
_MAIN: Final = "<module>"


class ReadsFields(Protocol):
    """Says what the fields of a request's body mean, as the dialect does that reads it."""

    def __call__(self, request: RequestSent, body: bytes) -> tuple[str, FieldRoles] | None:
        """Return the dialect's name and its table, or None where no dialect reads the request."""
        ...


class CodeFindings(msgspec.Struct, frozen=True, kw_only=True):
    """How source and versions differ from the recorded ones.

    Attributes:
        state: whether the source is what was recorded.
        changes: files that are not; empty as well where nothing is known.
        versions: distributions, and Python, in another version.
        source: all recorded text that is there.
    """

    state: Literal["changed", "same", "unknown"]
    changes: tuple[CodeChange, ...] = ()
    versions: tuple[VersionChange, ...] = ()
    source: bytes = b""


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """Why a replay left its recording, as far as the records say.

    Attributes:
        sort: the class of the change; ``class`` in JSON.
        basis, reason: what the class rests on, and in a sentence.
        also: what else changed in the same request.
        candidate: seq of the recorded record nearest to the computed one.
        place: the user's file and line, then who awaited it; None where nothing says so.
        fed_by: earlier inputs that hold stretches of the changed values; found by content.
        code, code_changes: whether the source changed, and where.
        dependency_changes: distributions, and Python, in another version.
        suggestion: what to try next.
    """

    sort: ChangeClass = msgspec.field(name="class")
    basis: Basis
    reason: str
    also: tuple[FieldRole, ...]
    candidate: int | None
    place: str | None
    fed_by: tuple[Fed, ...]
    code: str
    code_changes: tuple[CodeChange, ...]
    dependency_changes: tuple[VersionChange, ...]
    suggestion: str


def look_at_code(
    reader: LogReader,
    on_disk: Callable[[str], bytes | None],
    versions: Sequence[tuple[str, str]],
    place: str | None = None,
) -> CodeFindings:
    """Return how source and versions differ from those that a run recorded.

    Args:
        reader: the recorded run.
        on_disk: gives the text of a file by its recorded path, None if there is none.
        versions: (name, version) of the replaying side.
        place: in the recorded program, near which changed lines are shown.
    """
    recorded = recorded_code(reader)
    if recorded is None:
        return CodeFindings(state="unknown")
    changes = code_changes(recorded, on_disk, place)
    state = source_state(recorded, changes, place)
    return CodeFindings(
        state=state,
        # Where nothing was found, it was looked for in another place than it is.
        changes=() if state == "unknown" else changes,
        versions=version_changes(recorded, versions),
        source=recorded.source(),
    )


def explain(
    reader: LogReader, divergence: Divergence, code: CodeFindings, reads: ReadsFields
) -> Explanation:
    """Return what a divergence was, as far as the records say.

    Args:
        reader: the recorded run.
        divergence: the first record that differs.
        code: how source and versions differ.
        reads: says what the fields of a request mean.
    """
    divergence = _swapped(reader, divergence)
    recorded = entry_at(reader, divergence.seq) if divergence.recorded_kind else None
    name, roles = _roles(reader, recorded, reads)
    judged = classify(
        divergence,
        roles=roles,
        dialect=name,
        source=code.state,
        dependencies=[change.name for change in code.versions],
    )
    return Explanation(
        sort=judged.sort,
        basis=judged.basis,
        reason=judged.reason,
        also=judged.also,
        candidate=divergence.candidate,
        place=_place(reader, divergence, recorded),
        fed_by=fed_by(reader, divergence.seq, divergence.fields, code.source),
        code=code.state,
        code_changes=code.changes,
        dependency_changes=code.versions,
        suggestion=_suggestion(judged.sort, divergence, code),
    )


def _swapped(reader: LogReader, divergence: Divergence) -> Divergence:
    """Return a divergence as one of order, if a task with these arguments is started elsewhere.

    The comparer cannot see it: a sibling's ordinal and seed are its own.
    """
    if divergence.category != "changed" or divergence.recorded_kind != "TaskSpawned":
        return divergence
    wanted = {each.path: each.replayed for each in divergence.fields}
    first = divergence.seq + 1
    for entry in reader.entries(first, min(first + _LOOK_AHEAD, reader.size())):
        read = payload_of(reader, entry) if entry.header.kind == "TaskSpawned" else None
        spawned = None if read is None else read[0]
        if not isinstance(spawned, TaskSpawned):
            continue
        found = {"label": spawned.label} | dict(leaves_of(bytes(spawned.arguments), "arguments"))
        if wanted and all(found.get(path) == value for path, value in wanted.items()):
            return msgspec.structs.replace(divergence, category="order", candidate=entry.header.seq)
    return divergence


def _roles(
    reader: LogReader, recorded: Entry | None, reads: ReadsFields
) -> tuple[str, FieldRoles | None]:
    if recorded is None or recorded.header.kind != "RequestSent":
        return "", None
    read = payload_of(reader, recorded)
    if read is None or not isinstance(read[0], RequestSent):
        return "", None
    return reads(read[0], read[1]) or ("", None)


def _place(reader: LogReader, divergence: Divergence, recorded: Entry | None) -> str | None:
    """Return where in the user's code it was; where a framework's task did it, who spawned that."""
    place = divergence.replayed_place or divergence.recorded_place
    if place is not None and not place.partition(" < ")[0].endswith(f" {_MAIN}"):
        return place
    task = recorded
    while task is not None and task.header.task:
        spawned = entry_at(reader, task.header.task)
        if spawned is None or spawned.header.seq >= task.header.seq:
            break
        found = spawned.place
        if found is not None and not found.partition(" < ")[0].endswith(f" {_MAIN}"):
            return found
        task = spawned
    return place


def _suggestion(sort: ChangeClass, divergence: Divergence, code: CodeFindings) -> str:
    """Return what to try next."""
    seq = divergence.seq
    changed = ", ".join(shlex.quote(change.path) for change in code.changes[:3])
    match sort:
        case "prompt" | "tool schema" | "model":
            return f"if the change of the {sort} is meant, record the run again; if not, undo it"
        case "code":
            return f"compare {changed} with what was recorded" if changed else _look(seq)
        case "clock":
            return "undo the added or moved reading, or record the run again"
        case "order" if divergence.candidate is not None and divergence.candidate != seq:
            return (
                f"see how the two stand to each other:"
                f" `ritornello events RUN --order {seq} {divergence.candidate}`"
            )
        case "order" | "missing" | "extra":
            return f"look for a call that was moved, added or left out; {_look(seq)}"
        case "dependency":
            wanted = " ".join(
                f"{each.name}=={each.recorded}" for each in code.versions if each.name != "python"
            )
            return (
                f"install the recorded versions: {shlex.join(wanted.split())}"
                if wanted
                else "use the recorded version of Python"
            )
        case _:
            return "see `It differs although nothing was changed` in the guide to divergences"


def _look(seq: int) -> str:
    return f"look around event {seq}: `ritornello events RUN`"
