"""Which source files and versions of a program differ from those that a run recorded."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from replay.events.code_kinds import CodeLoaded, SourceFile
from replay.events.digest import keyed_digest
from replay.events.kinds import RunStarted
from replay.forensics.explain_records import entry_at, payload_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from replay.log.port import LogReader

__all__ = [
    "CodeChange",
    "RecordedCode",
    "VersionChange",
    "code_changes",
    "lines_near",
    "recorded_code",
    "source_state",
    "version_changes",
]

#: The note of the source stands just before the seal.
_LOOKED_AT: Final = 8
_DIFFED_LINES_MAX: Final = 2000
_SHOWN_LINES_MAX: Final = 12
_CHANGES_MAX: Final = 50
_FRAME: Final = re.compile(r"(.*):(\d{1,9}) ")
_HUNK: Final = re.compile(r"@@ -(\d+)")


class RecordedCode(msgspec.Struct, frozen=True, kw_only=True):
    """What a run recorded of its program.

    Attributes:
        files: the files with their texts, None for one that was not kept.
        versions: (name, version) of Python and of the distributions.
        key: what digests of the run's files are keyed with.
        is_whole: False if there were more files than the record names.
    """

    files: tuple[tuple[SourceFile, bytes | None], ...]
    versions: tuple[tuple[str, str], ...]
    key: bytes
    is_whole: bool = True

    def source(self) -> bytes:
        """Return all kept texts, one after the other."""
        return b"\n".join(text for _, text in self.files if text is not None)


class CodeChange(msgspec.Struct, frozen=True, kw_only=True):
    """A source file that is not what it was.

    Attributes:
        path: as it was recorded.
        state: ``changed``, ``gone``, or ``unknown`` where the record cannot tell.
        added, removed: lines, where both texts are known and not too many.
        diff: the changed lines nearest to where the replay left the recording.
    """

    path: str
    state: Literal["changed", "gone", "unknown"]
    added: int | None = None
    removed: int | None = None
    diff: tuple[str, ...] = ()


class VersionChange(msgspec.Struct, frozen=True):
    """A distribution, or Python, in another version; None where it was not loaded."""

    name: str
    recorded: str | None
    replayed: str | None


def recorded_code(reader: LogReader) -> RecordedCode | None:
    """Return what a run recorded of its program; None if it has no such note, or it is gone."""
    size = reader.size()
    first = entry_at(reader, 0)
    start = None if first is None else payload_of(reader, first)
    if start is None or not isinstance(start[0], RunStarted):
        return None
    for entry in reader.entries(max(0, size - _LOOKED_AT), size):
        if entry.header.kind != "CodeLoaded":
            continue
        read = payload_of(reader, entry)
        note = None if read is None else read[0]
        if read is None or not isinstance(note, CodeLoaded):
            return None
        python = dict(start[0].versions).get("python")
        return RecordedCode(
            files=tuple(_texts(note, read[1])),
            versions=(*((("python", python),) if python else ()), *note.distributions),
            key=_key(start[0].seed),
            is_whole=not note.omitted,
        )
    return None


def code_changes(
    recorded: RecordedCode, on_disk: Callable[[str], bytes | None], place: str | None = None
) -> tuple[CodeChange, ...]:
    """Return which files differ from what lies on disk now; at most 50.

    Args:
        recorded: what the run recorded.
        on_disk: gives the text of a file by its recorded path, None if there is none.
        place: ``file:line`` in the recorded program near which lines are shown.
    """
    found: list[CodeChange] = []
    for file, text in recorded.files:
        now = on_disk(file.path)
        if now is None:
            state: Literal["gone", "unknown"] = "unknown" if file.state == "unreadable" else "gone"
            found.append(CodeChange(path=file.path, state=state))
        elif text is not None:
            if text != now:
                found.append(_changed(file.path, text, now, place))
        elif file.state == "large":
            if keyed_digest(recorded.key, [now]) != file.digest:
                found.append(CodeChange(path=file.path, state="changed"))
        else:
            changed = len(now) != file.size and file.state != "unreadable"
            found.append(CodeChange(path=file.path, state="changed" if changed else "unknown"))
        if len(found) == _CHANGES_MAX:
            break
    return tuple(found)


def source_state(
    recorded: RecordedCode | None, changes: Sequence[CodeChange], place: str | None = None
) -> Literal["changed", "same", "unknown"]:
    """Return whether the program's source is what was recorded.

    Args:
        recorded: what the run recorded.
        changes: what differs from it now.
        place: ``file:line`` where the replay left the recording; if that file is in no record, the
            program is not only what was recorded of it.
    """
    if recorded is None or not recorded.files:
        return "unknown"
    if place is not None:
        file = _split(place)[0]
        if not any(file.endswith(each.path) for each, _ in recorded.files):
            return "unknown"
    states = [change.state for change in changes]
    if states.count("gone") == len(recorded.files):
        return "unknown"  # it was looked for in another place than it is
    if "changed" in states or "gone" in states:
        return "changed"
    return "unknown" if states or not recorded.is_whole else "same"


def version_changes(
    recorded: RecordedCode, now: Sequence[tuple[str, str]]
) -> tuple[VersionChange, ...]:
    """Return what has another version; what only one side had loaded is no change of version."""
    versions = dict(now)
    return tuple(
        VersionChange(name, version, versions[name])
        for name, version in recorded.versions
        if name in versions and versions[name] != version
    )


def lines_near(before: bytes, after: bytes, line: int | None) -> tuple[int, int, tuple[str, ...]]:
    """Return how many lines were added and removed, and those nearest to a line.

    Args:
        before: the one text.
        after: the other.
        line: in the first, from 1; None shows the first change.
    """
    old = before.decode("utf-8", "replace").splitlines()
    new = after.decode("utf-8", "replace").splitlines()
    first = 0
    while first < min(len(old), len(new)) and old[first] == new[first]:
        first += 1
    end = 0
    while end < min(len(old), len(new)) - first and old[-1 - end] == new[-1 - end]:
        end += 1
    # The common beginning and end cost nothing then; a line of them stays for the eye.
    start = max(0, first - 1)
    last = max(0, end - 1)
    old_part, new_part = old[start : len(old) - last], new[start : len(new) - last]
    if max(len(old_part), len(new_part)) > _DIFFED_LINES_MAX:
        return len(new_part), len(old_part), ()
    lines = list(difflib.unified_diff(old_part, new_part, n=1, lineterm=""))[2:]
    added = sum(1 for each in lines if each.startswith("+"))
    removed = sum(1 for each in lines if each.startswith("-"))
    hunks: list[tuple[int, list[str]]] = []
    for each in lines:
        match = _HUNK.match(each)
        if match is not None:
            hunks.append((int(match[1]) + start, []))
        elif hunks:
            hunks[-1][1].append(each)
    if not hunks:
        return added, removed, ()
    nearest = min(hunks, key=lambda hunk: abs(hunk[0] - (line or 0)))
    return added, removed, tuple(nearest[1][:_SHOWN_LINES_MAX])


def _changed(path: str, before: bytes, after: bytes, place: str | None) -> CodeChange:
    line = None
    if place is not None:
        file, number = _split(place)
        if file.endswith(path):
            line = number
    added, removed, diff = lines_near(before, after, line)
    return CodeChange(path=path, state="changed", added=added, removed=removed, diff=diff)


def _split(place: str) -> tuple[str, int | None]:
    """Return file and line of the innermost frame of a place."""
    match = _FRAME.match(place.partition(" < ")[0])
    return (match[1], int(match[2])) if match is not None else ("", None)


def _texts(note: CodeLoaded, body: bytes) -> Iterator[tuple[SourceFile, bytes | None]]:
    start = 0
    for file in note.files:
        if file.state != "kept":
            yield file, None
            continue
        end = start + max(0, file.size)
        yield file, body[start:end]
        start = end


def _key(seed: str) -> bytes:
    try:
        return bytes.fromhex(seed)
    except ValueError:
        return b""
