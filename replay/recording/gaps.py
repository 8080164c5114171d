"""Why a replay cannot go on although nothing differs: something is not in the record."""

from __future__ import annotations

from typing import Literal

__all__ = ["Uncaptured"]


class Uncaptured(Exception):
    """Stops a replay where the program needs what no record holds.

    Attributes:
        verdict: ``incomplete`` where the recording says that it has it not; ``refused`` where the
            program would reach outside.
        note: what it is, as a sentence.
    """

    def __init__(self, verdict: Literal["incomplete", "refused"], note: str) -> None:
        super().__init__(note)
        self.verdict: Literal["incomplete", "refused"] = verdict
        self.note = note
