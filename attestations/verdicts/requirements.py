"""What a verifier requires of the verdicts, as words that it can type.

The one invariant: a requirement that is not met is never passed over, and a log that fails, is
truncated or in conflict fails whatever is required. A word that is not one of the closed values is
an error, never a requirement that nothing can meet or that anything meets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

from attestations.errors import RequirementError
from attestations.verdicts.judging import (
    Anchoring,
    Authenticity,
    Completeness,
    Integrity,
    Verdicts,
)

__all__ = ["DEFAULT_REQUIREMENTS", "Judgement", "Requirements", "parse_requirements"]

_VALUES: Final[dict[str, tuple[str, ...]]] = {
    "integrity": get_args(Integrity),
    "completeness": get_args(Completeness),
    "authenticity": get_args(Authenticity),
    "anchoring": get_args(Anchoring),
}
#: Values that make a log fail. They cannot be required.
_FAILING: Final = frozenset({"failed", "truncated", "conflict"})


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether what is required holds.

    Args:
        outcome: ``held``; ``absent``, something that is required is not there; ``failed``, the
            log is not what it should be, or cannot be.
        unmet: what is required and not so, in the order of the verdicts.
    """

    outcome: Literal["held", "absent", "failed"]
    unmet: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Requirements:
    """Which values of each verdict are accepted.

    Args:
        accepted: (verdict, its accepted values), in the order of the verdicts; a verdict that is
            not named may have any value that does not fail.
    """

    accepted: tuple[tuple[str, tuple[str, ...]], ...]

    def check(self, verdicts: Verdicts) -> Judgement:
        """Compare the verdicts with what is required."""
        unmet: list[str] = []
        failed = False
        required = dict(self.accepted)
        for name in _VALUES:
            verdict = getattr(verdicts, name)
            failed = failed or verdict.value in _FAILING
            values = required.get(name)
            if values is None:
                continue
            met = [state in values for state in verdict.states]
            # Anchors add up; of anything else, all that was found must be acceptable.
            if not (any(met) if name == "anchoring" else all(met)):
                unmet.append(f"{name}={'|'.join(values)}")
        if failed:
            return Judgement("failed", tuple(unmet))
        return Judgement("absent" if unmet else "held", tuple(unmet))

    def accepting(self, name: str, value: str) -> Requirements:
        """Return these with one more value accepted of a verdict that is required."""
        return Requirements(
            tuple(
                (each, (*values, value) if each == name and value not in values else values)
                for each, values in self.accepted
            )
        )

    def words(self) -> tuple[str, ...]:
        """Return them as they are typed, one for each verdict."""
        return tuple(f"{name}={'|'.join(values)}" for name, values in self.accepted)


DEFAULT_REQUIREMENTS: Final = Requirements((("integrity", ("ok",)), ("completeness", ("sealed",))))
"""What holds of a finished run that nobody signed or anchored."""


def parse_requirements(words: Sequence[str]) -> Requirements:
    """Read requirements such as ``authenticity=signed,anchoring=pinned|witnessed``.

    What is not named stays as in `DEFAULT_REQUIREMENTS`.

    Args:
        words: each one or more of ``VERDICT=VALUE``, with commas between them; values with bars
            between them are alternatives.

    Raises:
        RequirementError: a verdict or a value that there is not, one that fails, or a verdict
            named twice.
    """
    named: dict[str, tuple[str, ...]] = {}
    for word in (piece for text in words for piece in text.split(",")):
        name, equals, text = word.partition("=")
        known = _VALUES.get(name)
        if known is None or not equals:
            raise RequirementError(
                "a requirement reads VERDICT=VALUE",
                where=word[:80],
                hint=f"verdicts are {', '.join(_VALUES)}",
            )
        if name in named:
            raise RequirementError(
                f"{name} is required twice",
                where=word[:80],
                hint=f"alternatives stand in one: {name}=A|B",
            )
        values = tuple(dict.fromkeys(text.split("|")))
        usable = tuple(value for value in known if value not in _FAILING)
        for value in values:
            if value not in usable:
                raise RequirementError(
                    f"{value[:40]!r} cannot be required of {name}",
                    where=word[:80],
                    hint=f"it can be {', '.join(usable)}",
                )
        named[name] = values
    merged = {**dict(DEFAULT_REQUIREMENTS.accepted), **named}
    return Requirements(tuple((name, merged[name]) for name in _VALUES if name in merged))
