"""Reads hashed requirements files: what is pinned, and by which files' hashes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Pin", "read_pins"]

_PIN = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<version>[A-Za-z0-9.!+_-]+)"
    r"(?:\s*;\s*(?P<marker>[^\\]*?))?(?P<hashes>(?:\s+--hash=sha256:[0-9a-f]{64})+)\s*"
)


@dataclass(frozen=True, slots=True)
class Pin:
    """One pinned distribution: normalised name, version, environment marker, sorted hashes."""

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]


def read_pins(path: Path) -> dict[str, Pin]:
    """The pins of a requirements file, by name.

    Raises:
        ValueError: a line is anything but a comment or a pin with hashes (an option, an address, a
            path, a range), or a name stands twice.
    """
    pins: dict[str, Pin] = {}
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        match = _PIN.fullmatch(line)
        if match is None:
            raise ValueError(f"{path.name}: not a hashed pin: {line[:100]}")
        name = re.sub(r"[-_.]+", "-", match["name"]).lower()
        if name in pins:
            raise ValueError(f"{path.name}: {name} is pinned twice")
        hashes = tuple(sorted(re.findall(r"sha256:[0-9a-f]{64}", match["hashes"])))
        pins[name] = Pin(name, match["version"], (match["marker"] or "").strip(), hashes)
    if not pins:
        raise ValueError(f"{path.name}: pins nothing")
    return pins
