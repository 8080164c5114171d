"""Proving a recording: replay it at once where everything differs that may differ.

What a program takes from its surroundings past every door shows here, on the day of the recording
and not on the day of the audit.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from replay.session.conditions import Conditions
from replay.session.launcher import Surroundings, launch_replay
from replay.session.messages import Replayed
from replay.session.report import Report

if TYPE_CHECKING:
    from replay.session.messages import Recorded

__all__ = ["Proof", "Trial", "prove"]

_ELSEWHERE: Final[Mapping[str, str]] = {
    "HOME": "/nonexistent",
    "LC_ALL": "C",
    "PYTHONMALLOC": "malloc",
    "TZ": "Asia/Kathmandu",
}
_OTHER_HASH_SEED: Final = "1987"
_NOISE: Final = 50_021
_ANY: Final = Conditions()

Name = Literal["surroundings", "hash seed"]


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """One replay under other conditions.

    Attributes:
        name: what differed: the surroundings (directory, home, heap, garbage, time zone, locale),
            or these and the hash seed too, which other replays take from the record.
        report: what came of it; None where the process ended without returning to the engine.
    """

    name: Name
    report: Report | None

    @property
    def repeats(self) -> bool:
        """Whether the program did the same again."""
        return self.report is not None and self.report.verdict == "identical"


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """What came of all trials.

    Attributes:
        trials: in order.
    """

    trials: tuple[Trial, ...]

    @property
    def holds(self) -> bool:
        """Whether the run replays; that it depends on the hash seed does not speak against it."""
        return all(trial.repeats for trial in self.trials if trial.name == "surroundings")


def prove(recorded: Recorded, workspace: Path, conditions: Conditions = _ANY) -> Proof:
    """Replay a run in fresh processes under other conditions.

    Args:
        recorded: the run; its program is looked for from the current directory.
        workspace: directory that holds the runs.
        conditions: what was decided about the program beforehand.

    Raises:
        ReplayError: the engine gave up in one of them.
    """
    trials: list[Trial] = []
    seeds: tuple[tuple[Name, str | None], ...] = (
        ("surroundings", None),
        ("hash seed", _OTHER_HASH_SEED),
    )
    with _another_directory(Path.cwd()) as directory:
        for name, seed in seeds:
            outcome = launch_replay(
                recorded.run,
                workspace.absolute(),
                directory=directory,
                surroundings=Surroundings(
                    environment=dict(_ELSEWHERE), hash_seed=seed, noise=_NOISE, silent=True
                ),
                conditions=conditions,
            )
            answer = outcome.answer
            trials.append(
                Trial(name=name, report=answer.report if isinstance(answer, Replayed) else None)
            )
            if not trials[-1].repeats:
                break
    return Proof(trials=tuple(trials))


@contextmanager
def _another_directory(place: Path) -> Iterator[Path]:
    """Yield a directory elsewhere that shows what this one holds, by links."""
    with tempfile.TemporaryDirectory(prefix="ritornello-elsewhere-") as made:
        directory = Path(made) / "another place"
        directory.mkdir()
        for name in os.listdir(place):  # noqa: PTH208 - names are all that is wanted
            (directory / name).symlink_to(place / name)
        yield directory
