"""The workspace: one directory for the runs of a project, and the log that says which there were.

The one invariant: a run stands in the workspace log before anything of it exists or leaves, so a
run that was started and thrown away still shows. Names given by people are compared with names
that are there; they never become part of a path.

Layout of ``.ritornello/`` (directories 0700, files 0600)::

    workspace.log     framed records; see :mod:`replay.log.workspace_log`
    head              size and root of that log
    runs/<run id>/    one run each: its log, its head, its lock
    replays/          logs that replays write, for as long as they are of use
    .gitignore        keeps all of it out of version control
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from replay.errors import LogError, NotFoundError, UsageError
from replay.events.code_kinds import AdmissionDecided
from replay.events.header import Header
from replay.events.workspace_kinds import (
    RunAdmitted,
    RunClosed,
    RunExported,
    RunImported,
    RunRegistered,
    RunResumed,
    WorkspacePayload,
)
from replay.log.excerpt import Excerpt, excerpt_of
from replay.log.frames import flush_directory
from replay.log.lock import is_written
from replay.log.seeming import seeming
from replay.log.workspace_check import (
    RunSummary,
    WorkspaceCheck,
    check_workspace,
    directories_in,
    summarize,
)
from replay.log.workspace_log import WorkspaceLog, payloads_of

__all__ = ["DEFAULT_WORKSPACE", "RunSummary", "Workspace", "WorkspaceCheck"]

DEFAULT_WORKSPACE: Final = Path(".ritornello")
"""Where a project keeps its runs, if nobody says otherwise."""

_RUN: Final = re.compile(r"[0-9A-Za-z_-]{1,64}")
_CANDIDATES_SHOWN: Final = 5


class Workspace:
    """The runs of one project. Make it with :meth:`open`; several processes may at once.

    Args:
        path: the workspace directory.
        entropy: gives so many random bytes, for salts and the workspace id.
    """

    def __init__(self, path: Path, entropy: Callable[[int], bytes] = os.urandom) -> None:
        self.path = path
        self._log = WorkspaceLog(path, entropy)

    @classmethod
    def open(cls, path: Path, *, create: bool = True) -> Workspace:
        """Open a workspace directory.

        Args:
            path: the directory itself, usually ``<project>/.ritornello``.
            create: make it if it is not there. What is missing in it is made as well.

        Raises:
            NotFoundError: it is not there and was not to be made.
            LogError: it cannot be made, or something else has its name.
        """
        if not create:
            if not path.is_dir():
                raise NotFoundError(
                    "there is no workspace",
                    where=str(path),
                    hint="record a run first, or name another directory",
                )
            if not (path / "runs").is_dir():
                raise NotFoundError(
                    "this directory is no workspace",
                    where=str(path),
                    hint="a workspace is usually called .ritornello; name that one",
                )
            return cls(path)
        # A directory with things of somebody else's in it is not for us to hide from git.
        ours = not path.is_dir() or not any(path.iterdir())
        try:
            for directory in (path, path / "runs", path / "replays"):
                if not directory.is_dir():
                    directory.mkdir(mode=0o700, exist_ok=True)
                    flush_directory(directory.parent)
            if ours:
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
                descriptor = os.open(path / ".gitignore", flags, 0o600)
                os.write(descriptor, b"*\n")
                os.close(descriptor)
        except FileExistsError:
            pass
        except OSError as error:
            raise LogError(
                f"the workspace cannot be made: {error.strerror}", where=str(path)
            ) from error
        if not (path / "runs").is_dir():
            raise LogError("something else has the name of the workspace", where=str(path))
        return cls(path)

    def register(self, run_id: str, entry: str, now_us: int) -> Path:
        """Enter a run that is about to start, durably, and make its directory.

        Args:
            run_id: the run's id; see :func:`replay.log.run_id.new_run_id`.
            entry: what is run, as a person would write it.
            now_us: claimed time in microseconds since the Unix epoch.

        Returns:
            The run's empty directory.

        Raises:
            UsageError: the id is malformed or taken.
            IntegrityError: the workspace log is damaged.
            LogError: the disk refuses; the run must not start.
        """
        directory = self._free_directory(run_id)
        self._log.append(RunRegistered(run=run_id, entry=entry), now_us)
        return self._make(directory)

    def imported(self, run_id: str, size: int, root: bytes, manifest: str, now_us: int) -> Path:
        """Enter a run that comes in from a bundle, and make its directory; see :meth:`register`."""
        directory = self._free_directory(run_id)
        self._log.append(
            RunImported(run=run_id, size=size, root=root.hex(), manifest=manifest), now_us
        )
        return self._make(directory)

    def close_run(self, run_id: str, size: int, root: bytes, reason: str, now_us: int) -> None:
        """Enter the end of a run: its size, its root, and why it ended.

        Raises:
            IntegrityError: the workspace log is damaged.
            LogError: the disk refuses.
        """
        self._log.append(RunClosed(run=run_id, size=size, root=root.hex(), reason=reason), now_us)

    def admitted(
        self, run_id: str, action: str, decided: Iterable[AdmissionDecided], now_us: int
    ) -> None:
        """Enter what policies decided about a run; errors as :meth:`close_run`."""
        for each in decided:
            fields = {name: getattr(each, name) for name in each.__struct_fields__}
            self._log.append(RunAdmitted(run=run_id, action=action, **fields), now_us)

    def resumed(
        self,
        run_id: str,
        size: int,
        root: bytes,
        now_us: int,
        decided: Iterable[AdmissionDecided] = (),
    ) -> None:
        """Enter that an open run goes on, durably, before it does; errors as :meth:`close_run`."""
        self.admitted(run_id, "resume", decided, now_us)
        self._log.append(RunResumed(run=run_id, size=size, root=root.hex()), now_us)

    def exported(self, run_id: str, size: int, root: bytes, manifest: str, now_us: int) -> None:
        """Enter that a bundle of a run was written; errors as :meth:`close_run`."""
        self._log.append(
            RunExported(run=run_id, size=size, root=root.hex(), manifest=manifest), now_us
        )

    def enter(self, payload: WorkspacePayload, now_us: int) -> None:
        """Enter any other record, durably; errors as :meth:`close_run`."""
        self._log.append(payload, now_us)

    def erase_records(self, parts: frozenset[int]) -> None:
        """Write the workspace's own log anew without some parts; see :class:`WorkspaceLog`."""
        self._log.erase(parts)

    def holders(self, stands_in: Callable[[bytes], bool]) -> dict[int, int]:
        """Return the parts of the log that hold something, with the record that brought each."""
        entries, _ = self._log.entries()
        return {
            part.ordinal: entry.header.seq
            for entry in entries
            for part in entry.brought
            if part.data is not None and stands_in(part.data)
        }

    def payloads(self) -> tuple[tuple[Header, WorkspacePayload | None], ...]:
        """Return what each record of the log says, None where that was erased.

        Raises:
            IntegrityError: a record of the workspace log cannot be read.
            LogError: the disk refuses.
        """
        entries, _ = self._log.entries()
        return tuple(payloads_of(entries))

    def excerpt(self, run_id: str) -> Excerpt | None:
        """Return what the log says about a run, with proofs; None if it says nothing.

        Raises:
            IntegrityError: a record of the workspace log cannot be read.
            LogError: the disk refuses.
        """
        entries, _ = self._log.entries()
        return excerpt_of(entries, run_id)

    def runs(self) -> tuple[RunSummary, ...]:
        """Return the runs in the order in which they were entered.

        Raises:
            IntegrityError: a record of the workspace log cannot be read.
            LogError: the disk refuses.
        """
        entries, _ = self._log.entries()
        return summarize(entries, self.path / "runs")

    def is_written(self, run_id: str) -> bool:
        """Return whether a live process writes a run that is here; one that was killed does not."""
        return is_written(self.path / "runs" / run_id)

    def run_directory(self, name: str) -> Path:
        """Return the directory of a run.

        Args:
            name: the run's id, a beginning of it that no other has, or ``last`` for the run that
                was entered last.

        Raises:
            NotFoundError: no run or several have that name, or its directory is gone.
            IntegrityError: a record of the workspace log cannot be read.
        """
        runs = self.runs()
        known = {run.run: run.present for run in runs}
        known |= dict.fromkeys(directories_in(self.path / "runs"), True)
        if name == "last" and runs:
            name = runs[-1].run
        found = [name] if name in known else [run for run in known if _begins(run, name)]
        if len(found) != 1:
            raise _not_one(name, found, list(known), self.path)
        if not known[found[0]]:
            raise NotFoundError(
                f"run {found[0]} was recorded, but its directory is gone",
                where=str(self.path / "runs"),
                hint="restore it from a copy or a bundle",
            )
        return self.path / "runs" / found[0]

    def verify(self) -> WorkspaceCheck:
        """Check the workspace log, and compare what it names with what is there.

        Raises:
            LogError: the log cannot be read at all.
        """
        return check_workspace(self._log, self.path / "runs")

    def _free_directory(self, run_id: str) -> Path:
        if _RUN.fullmatch(run_id) is None or run_id == "last":
            raise UsageError("a run id is 1 to 64 letters, digits, hyphens and underscores")
        directory = self.path / "runs" / run_id
        if directory.exists():
            raise UsageError(f"run {run_id} is there already", where=str(directory))
        return directory

    def _make(self, directory: Path) -> Path:
        try:
            directory.mkdir(mode=0o700)
        except OSError as error:
            raise LogError(
                f"the run's directory cannot be made: {error.strerror}", where=str(directory)
            ) from error
        flush_directory(directory.parent)
        return directory


def _begins(run: str, name: str) -> bool:
    return bool(name) and run.startswith((name, name.upper()))


def _not_one(name: str, found: list[str], known: list[str], where: Path) -> NotFoundError:
    """Say that a name fits several runs, or none, and which are near."""
    if found:
        shown = ", ".join(found[-_CANDIDATES_SHOWN:])
        return NotFoundError(
            f"{len(found)} runs begin with {name!r}", hint=f"more characters: {shown}"
        )
    there = seeming(Path(name))
    if there is not None:
        return NotFoundError(f"{name!r} is no run: it seems to be {there[0]}", hint=there[1])
    near = difflib.get_close_matches(name.upper(), known, n=_CANDIDATES_SHOWN, cutoff=0.5)
    hint = f"the nearest names are {', '.join(near)}" if near else "`ritornello runs` lists them"
    return NotFoundError(
        f"there is no run {name!r}",
        where=str(where),
        hint=f"{hint if known else 'record a run first'}; --workspace DIR looks in another place",
    )
