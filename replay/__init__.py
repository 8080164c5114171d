"""The engine: record an LLM workflow, keep it as evidence, replay it bit for bit.

Importing this package imports nothing else; a name is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from replay.doors.effects import effect
    from replay.doors.secret_values import secret
    from replay.doors.state.mapping import state
    from replay.session.api import record, replay, replay_keyed, resume
    from replay.session.forking.library import fork
    from replay.session.forking.report import Fork
    from replay.session.keyed import KeyedReport
    from replay.session.record import Recording
    from replay.session.report import Report
    from replay.session.resuming.report import Resumption
    from replay.session.workflow import workflow

__all__ = [
    "Fork",
    "KeyedReport",
    "Recording",
    "Report",
    "Resumption",
    "effect",
    "fork",
    "record",
    "replay",
    "replay_keyed",
    "resume",
    "secret",
    "state",
    "workflow",
]

_HOMES = {
    "Fork": "replay.session.forking.report",
    "KeyedReport": "replay.session.keyed",
    "Recording": "replay.session.record",
    "Report": "replay.session.report",
    "Resumption": "replay.session.resuming.report",
    "secret": "replay.doors.secret_values",
    "state": "replay.doors.state.mapping",
    "effect": "replay.doors.effects",
    "fork": "replay.session.forking.library",
    "record": "replay.session.api",
    "replay": "replay.session.api",
    "replay_keyed": "replay.session.api",
    "resume": "replay.session.api",
    "workflow": "replay.session.workflow",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'replay' has no attribute {name!r}")
    value: object = getattr(import_module(home), name)
    globals()[name] = value
    return value
