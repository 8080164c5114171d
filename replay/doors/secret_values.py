"""Secrets that a program fetches itself: the record gets a surrogate, from the first use on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from replay.doors.context import current

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["secret"]


def secret(name: str, load: Callable[[], str]) -> str:
    """Return a secret value; in the record, and in a replay, a surrogate stands for it.

    Secrets in environment variables whose names say so are registered by themselves. This is for
    values from elsewhere: a vault, a file, a prompt.

    Args:
        name: what the secret is, for the record; not the value.
        load: fetches the value. Not called in a replay. It runs on the program's thread.

    Raises:
        SecretError: the value is too short, or of a form that cannot be told apart in text.
    """
    context = current()
    return load() if context is None else context.world.secret(f"secret:{name}", load)
