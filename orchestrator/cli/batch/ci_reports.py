"""Where reports of replays go: files that were asked for, and GitHub Actions."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Final

import msgspec

from orchestrator.cli.batch.report_files import is_same_file, refuse_no_file
from orchestrator.cli.terminal import in_github_actions, printing_no_commands, say
from orchestrator.reports.github import error_commands, step_summary
from orchestrator.reports.junit import junit_xml
from orchestrator.reports.outcome import Outcome
from orchestrator.reports.sarif import sarif_log
from replay.errors import UsageError
from replay.version import VERSION

__all__ = ["Wanted"]

_SUMMARY_BYTES_MAX: Final = 1 << 20


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """The reports that are wanted.

    Attributes:
        junit, sarif: files to write, or None.
        github: whether to speak to GitHub Actions; None lets the environment decide.
    """

    junit: Path | None = None
    sarif: Path | None = None
    github: bool | None = None

    @property
    def speaks_to_github(self) -> bool:
        """Whether annotations and the step summary are written."""
        if self.github is None:
            return in_github_actions()
        return self.github

    def prepare(self) -> None:
        """Make the directories of the files, before anything runs.

        Raises:
            UsageError: a file cannot be one.
            OSError: a directory cannot be made.
        """
        for file in (self.junit, self.sarif):
            if file is not None:
                refuse_no_file(file)
                file.parent.mkdir(parents=True, exist_ok=True)
        if self.junit and self.sarif and is_same_file(self.junit, self.sarif):
            raise UsageError(
                "--junit and --sarif name one file, and the second would replace the first",
                where=str(self.junit),
                hint="give each a file of its own",
            )

    def programs_run(self) -> AbstractContextManager[None]:
        """Keep what programs print from being read as workflow commands."""
        return printing_no_commands() if self.speaks_to_github else nullcontext()

    def write(self, outcomes: Sequence[Outcome]) -> None:
        """Write all reports.

        Raises:
            OSError: one of them cannot be written.
        """
        here = str(Path.cwd())
        root = here
        if self.speaks_to_github:
            root = os.environ.get("GITHUB_WORKSPACE") or here
        if self.junit is not None:
            self.junit.write_bytes(junit_xml(outcomes))
        if self.sarif is not None:
            self.sarif.write_bytes(sarif_log(outcomes, root=root, here=here, version=VERSION))
        if not self.speaks_to_github:
            return
        say(*error_commands(outcomes, root=root, here=here))
        summary = os.environ.get("GITHUB_STEP_SUMMARY")
        if summary:
            text = step_summary(outcomes).encode("utf-8", "backslashreplace")
            with Path(summary).open("ab") as file:
                if file.tell() + len(text) <= _SUMMARY_BYTES_MAX:
                    file.write(text)
