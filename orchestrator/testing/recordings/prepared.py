"""Prepared processes: each has collected one test file and run nothing; a test gets a fork of it.

A test has to be judged in a process in which no other has run, and most of what such a process
takes is importing what the test file imports. So that is done once for a file. A fork of the result
is as fresh as a new process: it has collected the file, and that is all it has done.

The prepared process is told what to do by a pipe, a line for each test. By another it says that it
is ready, then for each test the process in which it is run and, at its end, the exit code.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Final

__all__ = ["Orders", "PreparedProcess", "PreparedProcesses"]

#: Tests come file by file; one more for two files in turns. Each holds what it has imported.
_OPEN_MAX: Final = 2
_ENDING_S: Final = 10.0
_SAID_MAX: Final = 2000
#: What the exit code says of a fork in which pytest itself failed.
_BROKEN: Final = 3


class PreparedProcess:
    """One prepared process, seen from the session that asks it.

    Attributes:
        environment: the variables with which it was started.
        has_ended: it can be asked for nothing more.
    """

    def __init__(
        self,
        command: Callable[[str], Sequence[str]],
        first: Mapping[str, object],
        *,
        directory: Path,
        environment: Mapping[str, str],
        is_heard: bool,
    ) -> None:
        """Start it, and wait until it has collected its file.

        Args:
            command: how it is started, given how to find the pipes.
            first: what it has to know before it collects.
            directory: where it is started.
            environment: its variables.
            is_heard: its output goes where this process's does, and is not kept.

        Raises:
            BaseException: this process was stopped meanwhile; the other one is, too.
        """
        self.environment = dict(environment)
        self.has_ended = False
        self._runs: int | None = None
        self._output: IO[bytes] | None = (
            None if is_heard else tempfile.TemporaryFile("a+b")  # noqa: SIM115 - closed by close()
        )
        (its_orders, orders), (answers, its_answers) = os.pipe(), os.pipe()
        self._orders = os.fdopen(orders, "w", encoding="utf-8")
        self._answers = os.fdopen(answers, encoding="utf-8")
        try:
            self._process = subprocess.Popen(  # noqa: S603 - this Python, on a collected file
                command(f"{its_orders},{its_answers}"),
                cwd=directory,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=subprocess.STDOUT if self._output else None,
                pass_fds=(its_orders, its_answers),
            )
        finally:
            os.close(its_orders)
            os.close(its_answers)
        with self._stopped_with_us():
            self._order(first)
            self._answer()

    def run(self, order: Mapping[str, object]) -> str:
        """Have one test run in a fresh process; return what was said outside of the test.

        Raises:
            BaseException: this process was stopped meanwhile; the test is, too.
        """
        start = self._output.seek(0, os.SEEK_END) if self._output and not self.has_ended else 0
        with self._stopped_with_us():
            self._order(order)
            self._runs = self._answer().get("process")
            code = self._answer().get("code")
            self._runs = None
            if self.has_ended:
                code = self._ended()
        return f"exit code {code}\n{self._said_since(start)}".strip()

    def _order(self, order: Mapping[str, object]) -> None:
        with contextlib.suppress(BrokenPipeError):  # it has ended, which its answer says
            self._orders.write(json.dumps(order) + "\n")
            self._orders.flush()

    def _answer(self) -> dict[str, Any]:
        line = "" if self.has_ended else self._answers.readline()
        answer: dict[str, Any] = json.loads(line) if line.endswith("\n") else {"ended": True}
        self.has_ended = "ended" in answer
        return answer

    def _said_since(self, start: int) -> str:
        if self._output is None:
            return ""
        self._output.seek(max(start, self._output.seek(0, os.SEEK_END) - _SAID_MAX))
        return self._output.read().decode("utf-8", "replace")

    @contextlib.contextmanager
    def _stopped_with_us(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self._stop()
            raise

    def _stop(self) -> None:
        self.has_ended = True
        if self._runs is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._runs, signal.SIGKILL)
        self._process.kill()
        self._process.wait()

    def _ended(self) -> int:
        """Let it end in its own way, and end it if it does not: a thread may be left in it."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_ENDING_S)
        self._process.kill()
        return self._process.wait()

    def close(self) -> None:
        """Let it end in its own way, and end it if it does not."""
        with contextlib.suppress(BrokenPipeError):
            self._orders.close()
        self._ended()
        self._answers.close()
        if self._output is not None:
            self._output.close()


class PreparedProcesses:
    """The prepared processes of a session, by test file; the one unused longest gives way."""

    def __init__(self) -> None:
        self._open: dict[Path, PreparedProcess] = {}

    def of(
        self,
        file: Path,
        environment: Mapping[str, str],
        start: Callable[[], PreparedProcess],
    ) -> PreparedProcess:
        """Return the process of a file; started if there is none with these variables."""
        found = self._open.pop(file, None)
        if found is not None and (found.has_ended or found.environment != environment):
            found.close()
            found = None
        while len(self._open) >= _OPEN_MAX:
            self._open.pop(next(iter(self._open))).close()
        self._open[file] = found or start()
        return self._open[file]

    def close(self) -> None:
        """End them all."""
        while self._open:
            self._open.popitem()[1].close()


# --- the other side --------------------------------------------------------------------------


class Orders:
    """What a prepared process is told, and what it answers."""

    def __init__(self, pipes: str) -> None:
        """Take both pipes, by their numbers."""
        orders, answers = (int(number) for number in pipes.split(","))
        for number in (orders, answers):
            os.set_inheritable(number, False)
        self._orders = os.fdopen(orders, encoding="utf-8")
        self._answers = os.fdopen(answers, "w", encoding="utf-8")

    def first(self) -> dict[str, Any]:
        """Return what is to be known before the file is collected."""
        said: dict[str, Any] = json.loads(self._orders.readline())
        return said

    def serve(self, run: Callable[[dict[str, Any]], None], may_fork: Callable[[], bool]) -> None:
        """Run each test that is ordered in a fork of this process, until there are no more.

        Where this process cannot be forked safely, it runs one test itself, and that was all.
        """
        self._say({"ready": True})
        for line in self._orders:
            if not may_fork():
                self._say({"process": os.getpid()})
                run(json.loads(line))
                self._say({"code": 0, "ended": True})
                break
            process = os.fork()
            if process == 0:
                self._run_and_exit(run, json.loads(line))
            self._say({"process": process})
            self._stop_without_session(process)
            _, status = os.waitpid(process, 0)
            self._say({"code": os.waitstatus_to_exitcode(status)})

    def _stop_without_session(self, process: int) -> None:
        """Wait for a fork to end, and end it once there is nobody any more who ordered it."""
        try:
            ended = os.pidfd_open(process)
        except OSError:  # an old kernel: it ends when its test does
            return
        ready, _, _ = select.select([ended, self._orders.fileno()], [], [])
        if ended not in ready:
            os.kill(process, signal.SIGKILL)
        os.close(ended)

    def _run_and_exit(self, run: Callable[[dict[str, Any]], None], order: dict[str, Any]) -> None:
        """Run a test in the fork: what was begun before the fork, the prepared process ends."""
        code = _BROKEN
        try:
            os.close(self._orders.fileno())
            os.close(self._answers.fileno())
            run(order)
            code = 0
        except BaseException:  # noqa: BLE001 - told, and the fork ends here
            sys.excepthook(*sys.exc_info())
        finally:
            with contextlib.suppress(OSError, ValueError):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)

    def _say(self, answer: Mapping[str, object]) -> None:
        self._answers.write(json.dumps(answer) + "\n")
        self._answers.flush()
