"""What is to become of a question that a crash left without an answer, as its door states it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from replay.events.header import Outcome
    from replay.events.kinds import Payload

__all__ = ["InFlight", "OnResume"]

#: ``again``: it is done once more. ``fail``: the program is told that it failed. ``ask``: whoever
#: resumes the run has to say which of the two.
OnResume: TypeAlias = Literal["again", "fail", "ask"]


class InFlight(Protocol):
    """A question to the outside, as a resume sees it."""

    @property
    def on_resume(self) -> OnResume:
        """What its door, or its author, declared."""
        ...

    @property
    def label(self) -> str:
        """What it is, for a person: ``effect charge``, ``POST /v1/messages``."""
        ...

    @property
    def destination(self) -> tuple[str, str] | None:
        """Scheme and host that it goes to, None for what is no request."""
        ...

    @property
    def carried(self) -> bytes:
        """All that goes there."""
        ...

    def rewrite(self, change: Callable[[bytes], bytes]) -> None:
        """Change what goes out; lengths stay."""
        ...

    def failure(self, why: str) -> tuple[Payload, Outcome]:
        """Return the answer which says that it failed."""
        ...

    def behind(
        self, post: Any, scrub: Callable[[bytes], bytes], differs: Callable[[], None]
    ) -> Any:
        """Return what takes the answers of a repetition, and drops those that the program has.

        Args:
            post: takes those that are left; see :class:`replay.doors.context.Post`.
            scrub: puts surrogates for secrets in a body that comes piece by piece.
            differs: called if the repetition began otherwise than the program has seen.
        """
        ...

    @property
    def repeatable(self) -> bool:
        """Whether it can be done again behind what the program has seen of it."""
        ...
