"""Causal names of records, shared by both sides of a comparison: spawn path, kind, index.

The one invariant: two records of two runs have one key exactly if they are the same step of the
same task, wherever they stand in their logs. A key is a number, so that a run of many records
costs little; its text is made when it is shown.
"""

from __future__ import annotations

import hashlib
from array import array
from typing import Final

from replay.errors import IntegrityError

__all__ = ["LABEL_LENGTH_MAX", "Identity", "Names"]

LABEL_LENGTH_MAX: Final = 200
_NAMES_MAX: Final = 1 << 24
_LOW: Final = (1 << 32) - 1
MAIN_THREAD: Final = "main-thread"
#: Steps of a deep path that are shown at either end.
_SHOWN: Final = 12

#: A record's key: path, kind, index, and which answer to it.
Identity = int


class Names:
    """Spawn paths and kinds by number; equal names have equal numbers in both runs."""

    def __init__(self) -> None:
        self._paths: dict[tuple[int, str, int], int] = {}
        self._steps: list[tuple[int, str, int]] = [(-1, MAIN_THREAD, 0)]
        # By path: how deep it is, and its ancestor where a deep one is shortened.
        self._depths = array("q", [0])
        self._heads = array("q", [0])
        self._texts: dict[int, str] = {}
        self._kinds: dict[str, int] = {}
        self._kind_list: list[str] = []

    def child(self, parent: int, label: str, ordinal: int) -> int:
        """Return the number of the path of a task, by its parent's."""
        step = parent, _bounded(label), ordinal
        found = self._paths.get(step)
        if found is None:
            found = self._paths[step] = len(self._steps)
            self._steps.append(step)
            depth = self._depths[parent] + 1
            self._depths.append(depth)
            self._heads.append(found if depth <= _SHOWN else self._heads[parent])
            if found >= _NAMES_MAX:
                raise IntegrityError(f"more than {_NAMES_MAX} tasks")
        return found

    def sibling(self, path: int, distance: int) -> int | None:
        """Return the path whose last step has another ordinal, if any run has it."""
        parent, label, ordinal = self._steps[path]
        return self._paths.get((parent, label, ordinal + distance))

    def kind(self, name: str) -> int:
        """Return the number of a kind, or of a part of one."""
        name = _bounded(name)
        found = self._kinds.get(name)
        if found is None:
            found = self._kinds[name] = len(self._kind_list)
            self._kind_list.append(name)
            if found >= _NAMES_MAX:
                raise IntegrityError(f"more than {_NAMES_MAX} kinds")
        return found

    def key(self, path: int, kind: int, index: int, nth: int = 0) -> Identity:
        """Return the key of a record.

        Args:
            path: the path of its task.
            kind: its kind.
            index: its index among those of its kind and task; of an answer, that of its question.
            nth: which answer of its kind it is.
        """
        return (path << 24 | kind) << 64 | index << 32 | nth

    def parts(self, key: Identity) -> tuple[int, int, int, int]:
        """Return path, kind, index and nth of a key."""
        top = key >> 64
        return top >> 24, top & _NAMES_MAX - 1, key >> 32 & _LOW, key & _LOW

    def path_text(self, path: int) -> str:
        """Return a spawn path such as ``main/worker:1``; the middle of a deep one is left out."""
        known = self._texts.get(path)
        if known is not None:
            return known
        depth = self._depths[path]
        steps: list[str] = []
        at = path
        for _ in range(depth if depth <= 2 * _SHOWN else _SHOWN):
            at, label, ordinal = self._steps[at]
            steps.append(f"{label}:{ordinal}" if ordinal else label)
        if depth > 2 * _SHOWN:
            steps += [f"({depth - 2 * _SHOWN} more)", self.path_text(self._heads[path])]
        text = "/".join(reversed(steps)) or MAIN_THREAD
        if len(self._texts) < 1 << 16:
            self._texts[path] = text
        return text

    def kind_text(self, kind: int) -> str:
        """Return the name of a kind."""
        return self._kind_list[kind]

    def text(self, key: Identity) -> str:
        """Return a record's identity for people."""
        path, kind, index, nth = self.parts(key)
        more = f".{nth}" if nth else ""
        return f"{self.path_text(path)} {self.kind_text(kind)} {index}{more}"


def _bounded(label: str) -> str:
    if len(label) <= LABEL_LENGTH_MAX:
        return label
    digest = hashlib.blake2b(label.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    return f"{label[: LABEL_LENGTH_MAX - 20]}…{digest}"
