"""How long runs of which class must and may be kept: a small closed policy.

The one invariant: a hold beats a maximum. Nothing is deleted here; pure, over values.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Annotated, Final, Literal

import msgspec

from replay.errors import UsageError
from replay.log.workspace_check import RunSummary

__all__ = [
    "POLICY_BYTES_MAX",
    "POLICY_FORM",
    "Retained",
    "RetentionClass",
    "RetentionPolicy",
    "read_policy",
    "retained",
]

POLICY_BYTES_MAX: Final = 1 << 20
POLICY_FORM: Final = (
    'it says version = 1, and for each class [classes.NAME] with entries = ["*"], keep_days_min and'
    " keep_days_max"
)
_DAY_US: Final = 24 * 60 * 60 * 1_000_000

Days = Annotated[int, msgspec.Meta(ge=0, le=36_500)]

#: ``keep``: it must stay, by its minimum or a hold. ``may go``: it may. ``overdue``: it must go.
Verdict = Literal["keep", "may go", "overdue", "no class"]


class RetentionClass(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A class of runs.

    Attributes:
        entries: patterns of what was run, with ``*`` and ``?``; any fits.
        keep_days_min: days that a run stays at least.
        keep_days_max: days after which it must be gone; never, if not given.
    """

    entries: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    keep_days_min: Days = 0
    keep_days_max: Days | None = None


class RetentionPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The classes by name, in order: the first that fits a run is its class."""

    version: Literal[1]
    classes: dict[str, RetentionClass]


class Retained(msgspec.Struct, frozen=True, kw_only=True):
    """What a policy says of a run.

    Attributes:
        run: its id.
        name: of its class; None if no class fits.
        age_days: whole days since it was entered in the workspace.
        verdict: what follows.
        held: whether a hold is in force.
    """

    run: str
    name: str | None
    age_days: int
    verdict: Verdict
    held: bool


def read_policy(data: bytes, where: str) -> RetentionPolicy:
    """Read a policy from TOML.

    Args:
        data: the bytes of the file.
        where: its name, for messages.

    Raises:
        UsageError: it is no such policy; names the field.
    """
    if len(data) > POLICY_BYTES_MAX:
        what = f"no retention policy: over {POLICY_BYTES_MAX} bytes"
        raise UsageError(what, where=where, hint=POLICY_FORM)
    try:
        policy = msgspec.convert(tomllib.loads(data.decode()), RetentionPolicy)
    except (ValueError, msgspec.ValidationError, RecursionError) as error:
        what = f"no retention policy: {error}"
        raise UsageError(what, where=where, hint=POLICY_FORM) from None
    for name, each in policy.classes.items():
        if each.keep_days_max is not None and each.keep_days_max < each.keep_days_min:
            raise UsageError(
                f"class {name} must go before it may",
                where=where,
                hint="keep_days_max is no less than keep_days_min",
            )
    return policy


def retained(
    policy: RetentionPolicy,
    runs: Iterable[RunSummary],
    held: Mapping[str, bool],
    now_us: int,
    unknown: Collection[str] = (),
) -> list[Retained]:
    """Say of each run that is there what a policy says.

    Args:
        policy: the classes.
        runs: each with what was run; one from a bundle has no entry and fits ``*`` alone.
        held: whether a run is held, by its id.
        now_us: now, microseconds since the Unix epoch.
        unknown: runs of which nobody can read what was run: they are of no class, so that none
            goes earlier than the class that it may be of allows.
    """
    found: list[Retained] = []
    for run in runs:
        if not run.present:
            continue
        age_days = max(now_us - run.registered_us, 0) // _DAY_US
        name = next(
            (
                name
                for name, each in policy.classes.items()
                if run.run not in unknown
                and any(fnmatchcase(run.entry or "", pattern) for pattern in each.entries)
            ),
            None,
        )
        verdict: Verdict = "no class"
        if name is not None:
            rule = policy.classes[name]
            verdict = "may go" if age_days >= rule.keep_days_min else "keep"
            if rule.keep_days_max is not None and age_days >= rule.keep_days_max:
                verdict = "overdue"
        is_held = held.get(run.run, False)
        found.append(
            Retained(
                run=run.run,
                name=name,
                age_days=age_days,
                verdict="keep" if is_held else verdict,
                held=is_held,
            )
        )
    return found
