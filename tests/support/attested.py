"""Policies and statements for tests: what a signer says of an artifact, and who is believed."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256

from attestations.statements.envelope import sign
from attestations.statements.predicates import (
    RUN,
    CheckpointClaim,
    Replayed,
    ReplayPredicate,
    RunPredicate,
    ToolPredicate,
    make_statement,
)
from attestations.statements.statement import Subject
from replay.bundle import BundleReader
from replay.events.digest import content_hash

__all__ = [
    "CODE",
    "POLICY",
    "RUN",
    "envelope_of",
    "pin",
    "policy_text",
    "said_of_replay",
    "said_of_run",
]

TIME = "2026-11-21T12:00:00Z"
CODE = "https://ritornello.invalid/attestations/tool/v1"
POLICY = "https://ritornello.invalid/attestations/policy/v1"


def said_of_run(bundle, *keys):
    """An envelope in which keys say that a bundle's run was recorded."""
    with BundleReader.open(bundle) as reader:
        checkpoint, run = reader.checkpoint, reader.run_id
    claim = CheckpointClaim.of(checkpoint)
    predicate = RunPredicate(checkpoint=claim, claimed_time=TIME, engine="1", run=run, sealed=True)
    subject = Subject.of(checkpoint.origin, checkpoint.body())
    return sign(make_statement(subject, predicate).encode(), keys).encode()


def said_of_replay(bundle, *keys):
    """A receipt in which keys say that a bundle's run was replayed."""
    with BundleReader.open(bundle) as reader:
        checkpoint, run = reader.checkpoint, reader.run_id
    predicate = ReplayPredicate(
        checkpoint=CheckpointClaim.of(checkpoint),
        claimed_time=TIME,
        code=(),
        code_state="same",
        distributions=(),
        engine="1",
        guard="process",
        live_effects=0,
        refused_attempts=0,
        replayed=Replayed(
            derived_computed=1,
            events=checkpoint.size,
            inputs_taken=1,
            root=checkpoint.root.hex(),
        ),
        run=run,
    )
    subject = Subject.of(checkpoint.origin, checkpoint.body())
    return sign(make_statement(subject, predicate).encode(), keys).encode()


def envelope_of(data, *keys, name="agent.py", version="", predicate=ToolPredicate):
    """An envelope in which keys say that bytes are a tool (or policy) of some version."""
    said = predicate(
        claimed_time=TIME,
        blake3=content_hash(data),
        name=name,
        size_bytes=len(data),
        version=version,
    )
    return sign(make_statement(Subject.of(name, data), said).encode(), keys).encode()


def policy_text(rules, signers=(), *, trust="required", more=""):
    """A policy of rules as (name, kind, predicate or None for any, threshold, further lines)."""
    lines = ['schema = "ritornello/policy/1"', 'name = "acme"', f'trust = "{trust}"', more]
    for key in signers:
        spki = b64encode(key.public.spki).decode()
        lines += [f"[signers.{key.name}]", f'public_key = "{spki}"']
    names = ", ".join(f'"{key.name}"' for key in signers)
    for name, kind, predicate, *rest in rules:
        lines += ["[[rules]]", f'name = "{name}"', f'kind = "{kind}"']
        if predicate is None:
            lines.append('accept = "any"')
        else:
            lines += [f'predicates = ["{predicate}"]', f"signers = [{names}]", *rest]
    return "\n".join(lines) + "\n"


def pin(path):
    """The words that pin a file."""
    return f"{path}@sha256:{sha256(path.read_bytes()).hexdigest()}"
