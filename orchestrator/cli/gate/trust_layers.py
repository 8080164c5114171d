"""Finds the policies that hold here: pinned ones of the user's, and the project's own.

Whatever is found holds. Nothing that comes later takes the place of something that came before, so
an environment variable or an option can add a policy, never put one away.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from orchestrator.cli.gate.decisions import (
    decide,
    envelopes_beside,
    known_keys,
    read_bounded,
    refuse,
)
from orchestrator.cli.key_verbs.user_places import config_directory

if TYPE_CHECKING:
    from attestations.admission.layers import Layer, TrustPolicy

__all__ = ["PINS_NAME", "POLICY_VARIABLE", "PROJECT_POLICY", "InPolicy", "trust_here"]

#: The option of every verb that lets something run.
InPolicy = Annotated[
    str | None,
    typer.Option(
        "--policy",
        metavar="FILE@sha256:HEX",
        help="Ask this policy too: `ritornello policy explain FILE` prints its digest.",
    ),
]
POLICY_VARIABLE: Final = "RITORNELLO_POLICY"
PINS_NAME: Final = "pins.toml"
PROJECT_POLICY: Final = "ritornello.policy.toml"


def trust_here(directory: Path, option: str | None = None) -> TrustPolicy | None:
    """Return the policies that hold for what starts in a directory; None if there are none.

    Raises:
        PolicyError: a file that is named is not there, or is no policy.
        AdmissionError: it is not the one that was pinned, or the project's own is not admitted.
    """
    pins_file = config_directory() / PINS_NAME
    project = directory / PROJECT_POLICY
    variable = os.environ.get(POLICY_VARIABLE)
    if not (option or variable or os.path.lexists(pins_file) or os.path.lexists(project)):
        return None  # the usual case, and it costs two looks
    from attestations.admission.facts import Artifact
    from attestations.admission.gathering import revocations_of
    from attestations.admission.layers import merge
    from attestations.admission.pins import layer_of

    pinned = list(_pinned(pins_file, variable, option))
    trusted, _ = known_keys()
    revocations = revocations_of(trusted)
    root = merge(pinned, revocations)
    if not os.path.lexists(project):
        return root
    data = read_bounded(project)
    own = layer_of(data, where=str(project), source="project")
    if root.mode == "required" and own.digest not in {layer.digest for layer in root.layers}:
        artifact = Artifact(kind="policy", digest=own.digest, name=PROJECT_POLICY)
        refuse(decide(root, artifact, envelopes_beside(project)))
    return merge([*pinned, own], revocations)


def _pinned(pins_file: Path, variable: str | None, option: str | None) -> Iterator[Layer]:
    from attestations.admission.pins import PINS_SIZE_MAX, layer_of, read_pin, read_pins

    pins = []
    if os.path.lexists(pins_file):
        data = read_bounded(pins_file, PINS_SIZE_MAX)
        pins = [(pins_file.parent, pin) for pin in read_pins(data, str(pins_file)).policies]
    if variable:
        pins.append((Path.cwd(), read_pin(variable, f"{POLICY_VARIABLE}={variable[:200]}")))
    if option:
        pins.append((Path.cwd(), read_pin(option)))
    for base, pin in pins:
        path = base / Path(pin.file).expanduser()
        yield layer_of(read_bounded(path), where=str(path), source="pinned", pinned=pin.sha256)
