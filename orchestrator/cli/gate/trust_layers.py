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
    from attestations.admission.pins import Pins

__all__ = ["PINS_NAME", "POLICY_VARIABLE", "PROJECT_POLICY", "InPolicy", "pins_here", "trust_here"]

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
    project = directory / PROJECT_POLICY
    variable = os.environ.get(POLICY_VARIABLE)
    named = option is not None or variable is not None
    if not (named or _is_there(config_directory() / PINS_NAME) or _is_there(project)):
        return None  # the usual case, and it costs two looks
    from attestations.admission.facts import Artifact
    from attestations.admission.gathering import revocations_of
    from attestations.admission.layers import merge
    from attestations.admission.pins import layer_of

    pinned = list(_pinned(variable, option))
    trusted, _ = known_keys()
    revocations = revocations_of(trusted)
    root = merge(pinned, revocations)
    if not _is_there(project):
        return root if pinned else None  # the file of pins may hold other things alone
    data = read_bounded(project)
    own = layer_of(data, where=str(project), source="project")
    if root.mode == "required" and own.digest not in {layer.digest for layer in root.layers}:
        artifact = Artifact(kind="policy", digest=own.digest, name=PROJECT_POLICY)
        refuse(decide(root, artifact, envelopes_beside(project)))
    return merge([*pinned, own], revocations)


def _is_there(file: Path) -> bool:
    """Return whether a file is there; where nobody can look, it is not said to be absent.

    Raises:
        PolicyError: its directory cannot be looked into.
    """
    try:
        os.lstat(file)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        from attestations.errors import PolicyError

        raise PolicyError(
            f"nobody can tell whether there is a policy: {error.strerror}",
            where=str(file),
            hint="make its directory readable for whoever uses the command",
        ) from None
    return True


def pins_here() -> tuple[Path, Pins] | None:
    """Return the user's file of pins and the directory that its paths begin at, if there is one.

    Raises:
        PolicyError: it cannot be read, or is none; or nobody can tell whether it is there.
    """
    file = config_directory() / PINS_NAME
    if not _is_there(file):
        return None
    from attestations.admission.pins import PINS_SIZE_MAX, read_pins

    return file.parent, read_pins(read_bounded(file, PINS_SIZE_MAX), str(file))


def _pinned(variable: str | None, option: str | None) -> Iterator[Layer]:
    from attestations.admission.pins import layer_of, read_pin

    found = pins_here()
    pins = [] if found is None else [(found[0], pin) for pin in found[1].policies]
    # One that is empty names no policy, so it is refused: a setting that was lost is no consent.
    if variable is not None:
        pins.append((Path.cwd(), read_pin(variable, f"{POLICY_VARIABLE}={variable[:200]}")))
    if option is not None:
        pins.append((Path.cwd(), read_pin(option)))
    for base, pin in pins:
        path = base / Path(pin.file).expanduser()
        yield layer_of(read_bounded(path), where=str(path), source="pinned", pinned=pin.sha256)
