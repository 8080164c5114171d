"""`ritornello doctor`: what works here and what does not."""

from __future__ import annotations

import platform
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, entry_points, version
from pathlib import Path
from typing import Final, Literal

import msgspec

from orchestrator.cli.app import AsJson, InWorkspace, run_verb
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.terminal import emit, emit_json, inert, paint
from replay.errors import ReplayError
from replay.log.workspace import DEFAULT_WORKSPACE
from replay.session.extensions import DIALECT_GROUP
from replay.version import VERSION

__all__ = ["main"]

_PACKAGES: Final = ("anthropic", "blake3", "duckdb", "httpx", "httpx2", "msgspec", "typer")
_TESTED: Final = ((3, 11), (3, 12), (3, 13))
State = Literal["ok", "note", "fails"]
_MISSING: Final = (
    "not installed, though ritornello needs it; install ritornello again, from its checkout or"
    " wheel: `pip install /path/to/ritornello`"
)


_CLOSE: Final = """\
from replay.guard.kernel import guard_process
print(*guard_process(()).notes, sep="; ")
"""


class Finding(msgspec.Struct, frozen=True):
    """What was found about one thing: its name, how it stands, and a sentence."""

    what: str
    state: State
    text: str


def doctor(*, workspace: InWorkspace = DEFAULT_WORKSPACE, as_json: AsJson = False) -> int:
    """Say what works here and what does not; changes nothing. 1 if something fails.

    Examples:
      ritornello doctor
      ritornello doctor --json
    """
    found = [*_python(), *_packages(), _duckdb(), *_dialects(), *_workspace(workspace), _guard()]
    if as_json:
        emit_json("doctor", {"version": VERSION, "findings": msgspec.to_builtins(found)})
    else:
        colours = {"ok": "green", "note": "yellow", "fails": "red"}
        for one in found:
            state = paint(one.state, colours[one.state]) + " " * (5 - len(one.state))
            emit(f"{state}  {one.what:12}  {inert(one.text)}")
    return ExitCode.DIFFERENT if any(one.state == "fails" for one in found) else ExitCode.OK


def _python() -> Iterator[Finding]:
    text = f"{platform.python_implementation()} {platform.python_version()}, {sys.executable}"
    tested = sys.implementation.name == "cpython" and sys.version_info[:2] in _TESTED
    yield Finding("python", "ok" if tested else "note", text + ("" if tested else ", not tested"))
    here = sys.platform in {"linux", "darwin"}
    yield Finding("platform", "ok" if here else "note", platform.platform())


def _packages() -> Iterator[Finding]:
    yield Finding("ritornello", "ok", VERSION)
    for name in _PACKAGES:
        try:
            yield Finding(name, "ok", version(name))
        except PackageNotFoundError:
            yield Finding(name, "fails", _MISSING)


def _duckdb() -> Finding:
    return _tried("log", _open_log, "DuckDB opens, writes and reads a log")


def _open_log() -> None:
    import tempfile

    from replay.log.duckdb_store import DuckDBStore

    with tempfile.TemporaryDirectory() as directory:
        store = DuckDBStore.create(Path(directory) / "log")
        try:
            store.append([])
            list(store.entries())
        finally:
            store.close()


def _dialects() -> Iterator[Finding]:
    points = sorted(entry_points(group=DIALECT_GROUP), key=lambda point: point.name)
    if not points:
        yield Finding(
            "dialects", "note", "none installed: exchanges are kept, prompts are not read in them"
        )
    for point in points:
        yield _tried("dialect", point.load, f"{point.name} ({point.value})")


def _workspace(path: Path) -> Iterator[Finding]:
    if not path.is_dir():
        yield Finding("workspace", "note", f"{path} is not there yet; the first run makes it")
    else:
        mode = stat.S_IMODE(path.stat().st_mode)
        open_to = mode & 0o077
        text = f"{path}, mode {mode:04o}" + (": others may enter; chmod 700 it" if open_to else "")
        yield Finding("workspace", "fails" if open_to else "ok", text)
    yield Finding("encryption", "note", "logs and bundles are not encrypted at rest")


def _guard() -> Finding:
    # In a process of its own: there is no way back from it.
    done = subprocess.run(  # noqa: S603 - our own interpreter and words
        [sys.executable, "-c", _CLOSE], capture_output=True, text=True, timeout=30, check=False
    )
    missing = done.stdout.strip() if done.returncode == 0 else "it could not be tried"
    if not missing:
        text = "kernel: a launched replay is closed by seccomp and Landlock, C code included"
        return Finding("guard", "ok", text)
    text = f"process: ways out through Python are refused in a replay, C code is not ({missing})"
    return Finding("guard", "note", text)


def _tried(what: str, action: Callable[[], object], text: str) -> Finding:
    try:
        action()
    except ReplayError as error:
        return Finding(what, "fails", f"{text}: {error.message}")
    except Exception as error:  # noqa: BLE001 - whatever an extension raises is the finding
        return Finding(what, "fails", f"{text}: {type(error).__name__}: {error}")
    return Finding(what, "ok", text)


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    run_verb("doctor", doctor, arguments)
