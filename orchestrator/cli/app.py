"""Runs one verb: its options through Typer, its errors as diagnostics and exit codes."""

from __future__ import annotations

import functools
import inspect
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from difflib import get_close_matches
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Final, NoReturn, ParamSpec

import typer

from attestations.errors import AttestationError
from orchestrator.cli.exit_codes import ExitCode, code_of
from orchestrator.cli.terminal import in_github_actions, inert, printing_no_commands, say
from replay.errors import ReplayError, UsageError

__all__ = ["AsJson", "InWorkspace", "RunName", "refuse_odd_names", "run_verb", "trouble_of"]

P = ParamSpec("P")

#: Options that many verbs share.
_WORKSPACE_VARIABLE: Final = "RITORNELLO_WORKSPACE"
InWorkspace = Annotated[
    Path,
    typer.Option("--workspace", envvar=_WORKSPACE_VARIABLE, help="Directory of the runs."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
RunName = Annotated[
    str,
    typer.Argument(
        metavar="RUN|BUNDLE|last",
        help="A run id or the beginning of one, `last`, or the path of a bundle.",
    ),
]

_MAX_WIDTH: Final = 100


def run_verb(
    verb: str,
    function: Callable[P, int],
    arguments: Sequence[str],
    *,
    takes_command: bool = False,
    starts_program: bool = False,
) -> NoReturn:
    """Run a verb and end the process with its exit code.

    Args:
        verb: its name.
        function: what it does; its parameters are the verb's arguments and options.
        arguments: what the person typed after it.
        takes_command: whether what begins with the first word is a command, options and all.
        starts_program: whether names go to another process, which is told of them in JSON.
    """

    def checked(*args: P.args, **kwargs: P.kwargs) -> int:
        _refuse_no_workspace(arguments)
        if starts_program:
            place = os.environ.get(_WORKSPACE_VARIABLE, "")
            refuse_odd_names(*arguments, str(Path.cwd()), place)
        return function(*args, **kwargs)

    app = typer.Typer(
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        add_completion=False,
        context_settings={
            "help_option_names": ["-h", "--help"],
            "max_content_width": _MAX_WIDTH,
            "allow_interspersed_args": not takes_command,
        },
    )
    guarded = _guarded(functools.wraps(function)(checked), prints_only=not starts_program)
    app.command(help=_help(function))(guarded)
    try:
        code = app(args=list(arguments), prog_name=f"ritornello {verb}", standalone_mode=False)
    except typer.TyperException as error:  # of the command line; our own are told within
        say(*_misuse(verb, error))
        code = ExitCode.USAGE
    except SystemExit as end:  # the library's own way out where nobody reads the help
        if not isinstance(end.__context__, BrokenPipeError):
            raise
        code = _nobody_reads()
    sys.exit(code)


def _nobody_reads() -> int:
    """Let what is left in the buffer not be written at exit; return the exit code."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return ExitCode.PIPE_CLOSED


def _refuse_no_workspace(arguments: Sequence[str]) -> None:
    """Refuse `--workspace ""`, such as of a variable without a value: a path of it is `.`."""
    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    if "--workspace=" in own or ("--workspace", "") in pairwise(own):
        raise UsageError(
            "--workspace is empty", hint="name a directory, or leave it out; `.` is this one"
        )


def refuse_odd_names(*names: str) -> None:
    """Refuse names that no record and no message can hold.

    Raises:
        UsageError: one of them is no UTF-8 text.
    """
    for name in names:
        try:
            name.encode()
        except UnicodeEncodeError:
            raise UsageError(
                "a name is no UTF-8 text, and no program is started with it",
                where=name,
                hint="give it another name, or go to another directory",
            ) from None


def _misuse(verb: str, error: typer.TyperException) -> tuple[str, str]:
    """Return what is wrong with a command line, in the form of every other error."""
    lists = f"`ritornello {verb} --help` lists them"
    if hasattr(error, "possibilities") and hasattr(error, "option_name"):
        near = get_close_matches(error.option_name, error.possibilities or (), n=1)
        hint = f"did you mean {near[0]}? {lists}" if near else lists
        return f"usage: there is no option {inert(error.option_name)}", f"  try: {hint}"
    text = str(error.format_message() if hasattr(error, "format_message") else error).rstrip(".")
    return (
        f"usage: {inert(text[:1].lower() + text[1:])}",
        f"  try: `ritornello {verb} --help` says what it takes",
    )


def _help(function: Callable[P, int]) -> str:
    """Return the docstring with its paragraphs marked as laid out already."""
    first, *rest = inspect.cleandoc(function.__doc__ or "").split("\n\n")
    return "\n\n".join([first, *(f"\b\n{paragraph}" for paragraph in rest)])


def _guarded(function: Callable[P, int], *, prints_only: bool) -> Callable[P, None]:
    """Return a verb that ends with its exit code.

    What is recorded may look like a command of GitHub Actions. A program that is started may speak
    to it, as it does without us; for a replayed one that verb itself decides.
    """

    @functools.wraps(function)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        stops = prints_only and in_github_actions()
        with printing_no_commands() if stops else nullcontext():
            code = _code(lambda: function(*args, **kwargs))
        raise typer.Exit(code)

    return guarded


def _code(call: Callable[[], int]) -> int:
    """Return what a verb's call came to; whatever it raised was told."""
    try:
        code = call()
        sys.stdout.flush()
    except (ReplayError, AttestationError) as error:
        lines, known = trouble_of(error)
        say(*lines)
        return known
    except BrokenPipeError:
        return _nobody_reads()
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except OSError as error:
        lines, known = trouble_of(error)
        say(*lines)
        return known
    except Exception:  # noqa: BLE001 - the last net: it must be said, and as our mistake
        traceback.print_exc()
        say("this is a mistake in ritornello; please report it with the lines above")
        return ExitCode.OUR_MISTAKE
    return code


def trouble_of(
    error: ReplayError | AttestationError | OSError,
) -> tuple[tuple[str, ...], ExitCode]:
    """Return what to say about an error, inert and in lines, and its exit code."""
    if isinstance(error, (ReplayError, AttestationError)):
        # Not their own text of it: a name with a line break in it would make lines of its own.
        told = [f"{error.code}: {inert(error.message)}"]
        told += [f"  where: {inert(error.where)}"] if error.where else []
        told += [f"  try: {inert(error.hint)}"] if error.hint else []
        return tuple(told), code_of(error)
    lines = [f"file: {inert(error.strerror or str(error))}"]
    if error.filename is not None:
        lines.append(f"  where: {inert(os.fsdecode(error.filename))}")
    return tuple(lines), ExitCode.NOT_FOUND
