"""``uv run``: which program it starts, and how Python is started in the same environment.

uv resolves an environment and runs a command in it. The child of the launcher is started by uv
with the same options, so it is in that environment before a line of the program runs.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from replay.errors import UsageError

__all__ = ["UvCommand", "parse_uv"]

#: Options of ``uv run`` that take a value, of uv 0.13; an unknown one is taken for a switch.
# fmt: off
_VALUES: Final = frozenset(
    [
        "--allow-insecure-host", "--cache-dir", "--color", "--config-file", "--config-setting",
        "--config-settings-package", "--default-index", "--directory", "--env-file",
        "--exclude-newer", "--exclude-newer-package", "--extra", "--extra-index-url",
        "--find-links", "--fork-strategy", "--group", "--index", "--index-strategy",
        "--index-url", "--keyring-provider", "--link-mode", "--no-binary-package",
        "--no-build-isolation-package", "--no-build-package", "--no-editable-package",
        "--no-extra", "--no-group", "--no-sources-package", "--only-group", "--package",
        "--prerelease", "--prerelease-package", "--project", "--python", "--python-platform",
        "--refresh-package", "--reinstall-package", "--resolution", "--upgrade-group",
        "--upgrade-package", "--with", "--with-editable", "--with-requirements", "-C", "-P", "-f",
        "-i", "-p", "-w",
    ]
)
# fmt: on
_MODULE: Final = frozenset({"-m", "--module"})
_SCRIPT: Final = frozenset({"-s", "--script"})
_REFUSED: Final = {
    "--gui-script": "a window has no recorded input",
    "--watch": "the program would be started again and again",
    "--directory": "change to the directory first: a record's paths are those of the program",
}
#: https://packaging.python.org/en/latest/specifications/inline-script-metadata/
_METADATA: Final = re.compile(r"(?m)^# /// script$\s(?P<content>(^#(| .*)$\s)+)^# ///$")


class UvCommand(msgspec.Struct, frozen=True, kw_only=True):
    """What follows ``uv run``, read.

    Attributes:
        options: for uv, without those that say what kind of command it is.
        is_module, is_script: what kind it is, if an option says so.
        command: what is run, and its arguments.
    """

    options: tuple[str, ...]
    is_module: bool
    is_script: bool
    command: tuple[str, ...]


def parse_uv(words: Sequence[str]) -> UvCommand:
    """Read what follows ``uv run``.

    Raises:
        UsageError: there is no command in it, or an option that cannot be kept.
    """
    rest = list(words)
    options: list[str] = []
    is_module = is_script = False
    while rest and rest[0].startswith("-") and rest[0] != "-":
        option = rest.pop(0)
        if option == "--":
            break
        if option.partition("=")[0] in _REFUSED:
            raise UsageError(
                f"uv's option {option} cannot be recorded", hint=_REFUSED[option.partition("=")[0]]
            )
        if option in _MODULE:
            is_module = True
        elif option in _SCRIPT:
            is_script = True
        else:
            options.append(option)
            if option in _VALUES and rest:
                options.append(rest.pop(0))
    if not rest or rest[0] == "-" or rest[0].startswith(("http://", "https://")):
        raise UsageError(
            "uv is not told what to run, or something that is not kept",
            hint="uv run SCRIPT.py, uv run -m MODULE or uv run COMMAND",
        )
    if not is_module and (is_script or rest[0].endswith(".py")):
        options += _of_metadata(Path(rest[0]), options)
    return UvCommand(
        options=tuple(options), is_module=is_module, is_script=is_script, command=tuple(rest)
    )


def _of_metadata(script: Path, options: Sequence[str]) -> list[str]:
    """Return the options that give the environment which a script describes in its comments."""
    try:
        found = _METADATA.search(script.read_text("utf-8"))
    except (OSError, UnicodeError):
        return []
    if found is None:
        return []
    lines = found.group("content").splitlines()
    try:
        metadata = tomllib.loads("\n".join(line[2:] for line in lines))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"the script's metadata is no TOML: {error}", where=str(script)) from None
    more = ["--no-project", "--with-requirements", str(script)]
    python = metadata.get("requires-python")
    if isinstance(python, str) and not {"-p", "--python"} & set(options):
        more += ["--python", python]
    return more
