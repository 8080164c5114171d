"""What sort of change made a replay leave its recording, and what that judgement rests on.

The one invariant: the class follows from the divergence, the recorded request and what is known of
source and versions; nothing is asked of the outside. What a field of a request means is said by a
table from outside, so that no vendor is known here; without one, names that most providers use are
a guess, and said to be one.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from replay.events.exchange_kinds import FieldRole, FieldRoles

if TYPE_CHECKING:
    from collections.abc import Sequence

    from replay.recording.divergence import Divergence

__all__ = [
    "GENERIC_ROLES",
    "Basis",
    "ChangeClass",
    "Judgement",
    "classify",
    "role_of_field",
]

#: ``code``: the source changed, and nothing more specific fits. ``uncaptured``: nothing that is
#: known changed, so something reached the program by no door.
ChangeClass = Literal[
    "code",
    "prompt",
    "tool schema",
    "model",
    "clock",
    "order",
    "missing",
    "extra",
    "dependency",
    "uncaptured",
]
#: ``structure``: the order of records says so. ``dialect``: the provider's dialect does.
#: ``names``: a guess by the field's name. ``versions``: a version differs and the source does not.
#: ``elimination``: nothing more specific fits.
Basis = Literal["structure", "dialect", "names", "versions", "elimination"]

_PROMPTS: Final = (
    "messages system prompt contents input instructions question query systemInstruction "
    "system_instruction system_prompt"
)
_TOOLS: Final = "tools functions tool_choice function_call toolConfig tool_config"
_MODELS: Final = (
    "model model_name temperature top_p topP top_k topK seed stop stop_sequences max_tokens "
    "max_completion_tokens max_output_tokens maxOutputTokens frequency_penalty presence_penalty "
    "reasoning reasoning_effort thinking generationConfig generation_config response_format options"
)
_GROUPS: Final[tuple[tuple[str, FieldRole], ...]] = (
    (_PROMPTS, "prompt"),
    (_TOOLS, "tool schema"),
    (_MODELS, "model"),
)
#: Names that most providers use, and most functions that wrap them.
GENERIC_ROLES: Final[FieldRoles] = tuple(
    (name, role) for names, role in _GROUPS for name in names.split()
)

_STATE_ROLES: Final[dict[str, FieldRole]] = {
    "content": "prompt",
    "message_history": "prompt",
    "parts": "prompt",
}
_INDEX: Final = re.compile(r"\[\d+\]")
_CONTENT: Final = {
    "RequestSent": "body.",
    "EffectStarted": "arguments.",
    "TaskSpawned": "arguments.",
}
#: Ends that every record has further on: who comes to one early left out what stands before it.
_ENDS: Final = frozenset({"RunEnded", "TaskEnded"})
#: Sources of readings that say how opening a file went.
_DISK: Final = "disk."
_POSITIONS: Final = ("header.", "marks")


class Judgement(msgspec.Struct, frozen=True):
    """A class, what it rests on, why in a sentence, and what else changed in the same record."""

    sort: ChangeClass
    basis: Basis
    reason: str
    also: tuple[FieldRole, ...] = ()


def classify(
    divergence: Divergence,
    *,
    roles: FieldRoles | None,
    dialect: str,
    source: Literal["changed", "same", "unknown"],
    dependencies: Sequence[str],
) -> Judgement:
    """Return what sort of change a divergence is.

    Args:
        divergence: the first record that differs.
        roles: what the fields of the recorded request mean; None if no dialect reads it.
        dialect: name of that dialect.
        source: whether the program's own source is what was recorded.
        dependencies: names of distributions, or ``python``, whose version differs.
    """
    structure = _of_structure(divergence)
    found = [] if structure is not None else _roles_in(divergence, roles)
    also = tuple(dict.fromkeys(role for role in found if role is not None))
    if source == "same":
        # A changed prompt is then what somebody sees of it, and not what was changed.
        seen = "" if structure is None else f"; {structure.reason}"
        if dependencies:
            names = ", ".join(dependencies[:4])
            reason = f"the source is as recorded; another version: {names}{seen}"
            return Judgement("dependency", "versions", reason, also)
        reason = f"neither source nor versions changed: no door saw it{seen}"
        return Judgement("uncaptured", "elimination", reason, also)
    if structure is not None:
        return structure
    first = next((role for role in found if role is not None), None)
    if first is not None:
        rest = tuple(role for role in also if role != first)
        if divergence.recorded_kind == "RequestSent" and roles is not None:
            return Judgement(first, "dialect", f"so the dialect {dialect} reads the field", rest)
        return Judgement(first, "names", "so the name of the field says, which is a guess", rest)
    known = source == "changed"
    why = "the source changed" if known else "whether the source changed is not known"
    return Judgement("code", "elimination", f"{why}, and nothing more specific fits")


def role_of_field(path: str, roles: FieldRoles) -> FieldRole | None:
    """Return what a field means by the longest entry of a table that is above it.

    Args:
        path: within the body or the arguments, such as ``messages[0].content``.
        roles: the table.
    """
    plain = _INDEX.sub("", path)
    above = [(len(top), role) for top, role in roles if plain == top or plain.startswith(top + ".")]
    return max(above)[1] if above else None


def _of_structure(divergence: Divergence) -> Judgement | None:
    category, third = divergence.category, _is_third_party(divergence.library)
    kinds = {divergence.recorded_kind, divergence.replayed_kind}
    if category == "clock" and any(
        each.path == "source" and (each.replayed or "").startswith(_DISK)
        for each in divergence.fields
    ):
        if divergence.recorded_kind != "ReadingsTaken":
            return Judgement("extra", "structure", "a file that the recording did not open here")
        return None
    if category == "clock" and third and divergence.recorded_kind != "ReadingsTaken":
        # A client library looks at the clock before it asks: the call is what the recording lacks.
        reason = f"{divergence.library} was called where the recording has no such call"
        return Judgement("extra", "structure", reason)
    if category == "clock" or (category == "changed" and kinds == {"ReadingsTaken"}):
        return Judgement("clock", "structure", "a reading that the recording has not, or another")
    if category == "order" and divergence.replayed_kind in _ENDS - {divergence.recorded_kind}:
        reason = "the program, or a task, ended before it did what the recording goes on with"
        return Judgement("missing", "structure", reason)
    if category in {"order", "missing", "extra"}:
        reasons = {
            "order": "the recording has it, but elsewhere",
            "missing": "the recording goes on with what the program did not do",
            "extra": "the recording has nothing like it here",
        }
        return Judgement(category, "structure", reasons[category])
    if divergence.fields and all(each.path.startswith(_POSITIONS) for each in divergence.fields):
        return Judgement("order", "structure", "equal content, but caused by other records")
    return None


def _roles_in(divergence: Divergence, roles: FieldRoles | None) -> list[FieldRole | None]:
    """Return the meaning of each changed field, in their order."""
    if divergence.recorded_kind != divergence.replayed_kind:
        return []
    if divergence.recorded_kind == "StateChanged":
        # A framework keeps what it is about to ask in its state, at any depth.
        names = dict(GENERIC_ROLES) | _STATE_ROLES
        parts = [_INDEX.sub("", each.path).split(".") for each in divergence.fields]
        return [next((names[part] for part in each if part in names), None) for each in parts]
    prefix = _CONTENT.get(divergence.recorded_kind or "")
    if prefix is None:
        return []
    table = GENERIC_ROLES if roles is None else roles
    return [
        role_of_field(each.path.removeprefix(prefix), table)
        for each in divergence.fields
        if each.path.startswith(prefix)
    ]


def _is_third_party(library: str) -> bool:
    top = library.partition(".")[0]
    return bool(top) and top not in sys.stdlib_module_names
