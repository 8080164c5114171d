"""Checks that the hashed requirements can be installed by others, and hold what the project asks.

usage: python -m tools.check_lock RUNTIME DEVELOPMENT
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

from tools.pins import read_pins

__all__ = ["check_lock"]


def check_lock(pyproject: Path, runtime: Path, development: Path) -> list[str]:
    """What is wrong with the two files; nothing when they can be used as they are."""
    try:
        run, dev = read_pins(runtime), read_pins(development)
    except ValueError as error:
        return [str(error)]
    problems = [
        f"{development.name} does not hold {name}=={pin.version} with the same files"
        for name, pin in run.items()
        if name not in dev or (dev[name].version, dev[name].hashes) != (pin.version, pin.hashes)
    ]
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))
    asked = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    asked_dev = [item for item in project["dependency-groups"]["dev"] if isinstance(item, str)]
    for pins, wanted, file in ((run, asked, runtime), (dev, asked_dev, development)):
        for requirement in wanted:
            match = re.match(r"[A-Za-z0-9._-]+", requirement)
            name = re.sub(r"[-_.]+", "-", match.group()).lower() if match else requirement
            if name not in pins:
                problems.append(f"{file.name} does not pin {name}: run `make lock`")
    return problems


def main() -> int:
    """Checks the files named on the command line against pyproject.toml."""
    runtime, development = (Path(argument) for argument in sys.argv[1:])
    problems = check_lock(Path("pyproject.toml"), runtime, development)
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"lock: {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
