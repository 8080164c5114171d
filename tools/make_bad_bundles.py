"""Writes bundles/bad: one named bad bundle for each refusal, and an index of what each must meet.

Everything is made from one small run with fixed salts and ids, by hand: another zlib, another
Python, another day makes the same bytes. ``python -m tools.make_bad_bundles --write`` after a
change here; a test compares.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

from tools.bad_containers import Bad, container_cases
from tools.bad_contents import content_cases

__all__ = ["FOLDER", "INDEX", "SIZE_MAX", "bad_bundles", "files"]

FOLDER = Path("bundles/bad")
INDEX = "INDEX.json"
#: Bytes of a bad bundle, at most.
SIZE_MAX = 16_384


def bad_bundles() -> dict[str, Bad]:
    """All bad bundles by file name, ascending."""
    found: dict[str, Bad] = {}
    for bad in (*container_cases(), *content_cases()):
        name = f"{bad.name}.ritornello"
        assert name not in found, name
        assert len(bad.data) <= SIZE_MAX, (name, len(bad.data))
        found[name] = bad
    return dict(sorted(found.items()))


def files() -> dict[str, bytes]:
    """The files of the folder by name: the bundles and the index."""
    bundles = bad_bundles()
    entries = [
        {
            "file": name,
            "sha256": hashlib.sha256(bad.data).hexdigest(),
            "level": bad.level,
            "code": bad.code,
            "member": bad.member,
            "event": bad.event,
            "rule": bad.rule,
        }
        for name, bad in bundles.items()
    ]
    lines = ",\n".join(f"  {json.dumps(entry)}" for entry in entries)
    index = f'{{"format": 1, "bundles": [\n{lines}\n]}}\n'
    return {name: bad.data for name, bad in bundles.items()} | {INDEX: index.encode()}


def main(arguments: list[str]) -> int:
    """Write the folder, or say which of its files are not as they would be written."""
    made = files()
    if arguments == ["--write"]:
        FOLDER.mkdir(parents=True, exist_ok=True)
        for path in FOLDER.iterdir():
            if path.name not in made:
                path.unlink()
        for name, data in made.items():
            (FOLDER / name).write_bytes(data)
        return 0
    there = {path.name: path.read_bytes() for path in sorted(FOLDER.iterdir())}
    different = sorted(
        name for name in there.keys() | made.keys() if there.get(name) != made.get(name)
    )
    for name in different:
        print(f"{FOLDER / name}: not as it would be written")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
