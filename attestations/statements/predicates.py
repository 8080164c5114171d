"""Our predicates: what is said of a run, a replay, a tool, a prompt, a policy, an erasure.

The one invariant: a predicate that contradicts itself can neither be made nor read. What is signed
as identical has the recorded root; what is signed as hermetic had no live effect. Unknown fields
are refused: a later version has another URI.

`attestations/PREDICATES.md` documents each.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

from attestations.errors import StatementError
from attestations.statements.statement import Sha256, Statement, Subject
from replay.errors import ProofError
from replay.events.digest import content_hash
from replay.tree import Checkpoint

__all__ = [
    "ERASURE",
    "POLICY",
    "PREDICATE_TYPES",
    "PROMPT",
    "REPLAY",
    "RUN",
    "TOOL",
    "URI",
    "CheckpointClaim",
    "CodeFile",
    "Distribution",
    "ErasurePredicate",
    "PolicyPredicate",
    "Predicate",
    "PromptPredicate",
    "ReplayPredicate",
    "Replayed",
    "RunPredicate",
    "ToolPredicate",
    "make_statement",
    "read_predicate",
]

#: `.invalid` is nobody's, for ever (RFC 2606): a name that no one can take and serve something at.
URI: Final = "https://ritornello.invalid/attestations"

RUN: Final = f"{URI}/run/v1"
REPLAY: Final = f"{URI}/verified-replay/v1"
TOOL: Final = f"{URI}/tool/v1"
PROMPT: Final = f"{URI}/prompt/v1"
POLICY: Final = f"{URI}/policy/v1"
ERASURE: Final = f"{URI}/erasure/v1"

Blake3 = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]
Text = Annotated[str, msgspec.Meta(max_length=4096)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]
Time = Annotated[str, msgspec.Meta(pattern=r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\Z")]


class _Base(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Base of all that is said: closed, and with one encoding."""


class CheckpointClaim(_Base, frozen=True, kw_only=True):
    """The checkpoint whose three lines are the subject, spelled out.

    Attributes:
        blake3: hex BLAKE3 of the three lines.
        origin: which log.
        root: hex root of the tree.
        size: number of records.
    """

    blake3: Blake3
    origin: Name
    root: Sha256
    size: Count

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> CheckpointClaim:
        """Spell a checkpoint out."""
        return cls(
            blake3=content_hash(checkpoint.body()),
            origin=checkpoint.origin,
            root=checkpoint.root.hex(),
            size=checkpoint.size,
        )

    def __post_init__(self) -> None:
        if content_hash(self.checkpoint().body()) != self.blake3:
            raise ValueError("the checkpoint is not the one that its BLAKE3 names")

    def checkpoint(self) -> Checkpoint:
        """Return the checkpoint."""
        try:
            return Checkpoint(self.origin, self.size, bytes.fromhex(self.root))
        except ProofError as error:
            raise ValueError(error.message) from error


class RunPredicate(_Base, frozen=True, kw_only=True):
    """A run was recorded, and its record was found whole by whoever signed.

    Attributes:
        checkpoint: the subject, spelled out.
        claimed_time: when it was checked, in UTC, as the signer's clock had it.
        engine: version of the engine that checked it.
        run: the run's id.
        sealed: whether its recorder ended it.
    """

    checkpoint: CheckpointClaim
    claimed_time: Time
    engine: Name
    run: Name
    sealed: bool


class CodeFile(_Base, frozen=True, kw_only=True):
    """A source file of the program that ran again; the path is as the record has it."""

    blake3: Blake3
    path: Name
    sha256: Sha256
    size_bytes: Count


class Distribution(_Base, frozen=True, kw_only=True):
    """A distribution that the program had loaded."""

    name: Name
    version: Text


class Replayed(_Base, frozen=True, kw_only=True):
    """What the replay came to: numbers of records, and the root of its own tree."""

    derived_computed: Count
    events: Count
    inputs_taken: Count
    root: Sha256


class ReplayPredicate(_Base, frozen=True, kw_only=True):
    """A run was executed again, by the named code, to the root that is on record.

    Attributes:
        checkpoint: the subject, spelled out: the record.
        claimed_time: when, in UTC, as the signer's clock had it.
        code: the program's own source files, sorted by path; empty if the record names none.
        code_state: how they compare with the recorded source.
        distributions: what else was loaded, sorted by name.
        engine: version of the engine that replayed.
        guard: what kept the replay from reaching outside.
        live_effects: ways out that stood open when it ended: 0.
        refused_attempts: ways out that were tried and refused.
        replayed: what it came to.
        run: the run's id.
        verdict: always ``identical``.
    """

    checkpoint: CheckpointClaim
    claimed_time: Time
    code: Annotated[tuple[CodeFile, ...], msgspec.Meta(max_length=2048)]
    code_state: Annotated[str, msgspec.Meta(pattern=r"\A[a-z-]{1,32}\Z")]
    distributions: Annotated[tuple[Distribution, ...], msgspec.Meta(max_length=4096)]
    engine: Name
    guard: Literal["process", "kernel"]
    live_effects: Annotated[int, msgspec.Meta(ge=0, le=0)] = 0
    refused_attempts: Count = 0
    replayed: Replayed
    run: Name
    verdict: Literal["identical"] = "identical"

    def __post_init__(self) -> None:
        if self.replayed.root != self.checkpoint.root:
            raise ValueError("the replayed root is not the recorded one")
        if self.replayed.events != self.checkpoint.size:
            raise ValueError("the replay has another number of events than the record")


class _FilePredicate(_Base, frozen=True, kw_only=True):
    """What is said of a file that is used as it is.

    Attributes:
        blake3: hex BLAKE3 of its bytes.
        claimed_time: when it was signed, in UTC, as the signer's clock had it.
        media_type: what it is; empty if nobody said.
        name: what it is called where it is used.
        size_bytes: its length.
        version: its version, which a policy can ask a minimum of; empty if it has none.
    """

    blake3: Blake3
    claimed_time: Time
    media_type: Text = ""
    name: Name
    size_bytes: Count
    version: Text = ""


class ToolPredicate(_FilePredicate, frozen=True, kw_only=True):
    """An archive is this tool, in this version."""


class PromptPredicate(_FilePredicate, frozen=True, kw_only=True):
    """A file is this prompt."""


class PolicyPredicate(_FilePredicate, frozen=True, kw_only=True):
    """A file is this policy."""


class ErasurePredicate(_Base, frozen=True, kw_only=True):
    """Content of a run was erased; its root is what it was.

    Attributes:
        authority: on whose authority.
        checkpoint: the subject, spelled out: the run, before and after.
        claimed_time: when it was signed, in UTC, as the signer's clock had it.
        events: positions of the records that lost content, ascending.
        parts: how many parts were erased.
        reason: why.
        run: the run's id.
        workspace: the head of the workspace log that holds the record of it.
    """

    authority: Name
    checkpoint: CheckpointClaim
    claimed_time: Time
    events: Annotated[tuple[Count, ...], msgspec.Meta(max_length=100_000)]
    parts: Count
    reason: Name
    run: Name
    workspace: CheckpointClaim


Predicate = (
    RunPredicate
    | ReplayPredicate
    | ToolPredicate
    | PromptPredicate
    | PolicyPredicate
    | ErasurePredicate
)

#: Every type of ours by URI.
PREDICATE_TYPES: Final[dict[str, type[Predicate]]] = {
    ERASURE: ErasurePredicate,
    POLICY: PolicyPredicate,
    PROMPT: PromptPredicate,
    REPLAY: ReplayPredicate,
    RUN: RunPredicate,
    TOOL: ToolPredicate,
}
_URIS: Final = {struct: uri for uri, struct in PREDICATE_TYPES.items()}


def make_statement(subject: Subject, predicate: Predicate) -> Statement:
    """Say something of one subject."""
    return Statement(
        predicate=msgspec.Raw(msgspec.json.encode(predicate)),
        predicate_type=_URIS[type(predicate)],
        subject=(subject,),
    )


def read_predicate(statement: Statement) -> Predicate | None:
    """Return what a statement says, if the type is one of ours.

    Raises:
        StatementError: it is of one of ours and not of its form, contradicts itself, or speaks of
            another checkpoint than its subject.
    """
    struct = PREDICATE_TYPES.get(statement.predicate_type)
    if struct is None:
        return None
    raw = bytes(statement.predicate)
    try:
        predicate: Predicate = msgspec.json.decode(raw, type=struct)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise StatementError(f"the predicate is not of its type: {error}") from None
    if msgspec.json.encode(predicate) != raw:
        raise StatementError("the predicate is not in its canonical encoding")
    if len(statement.subject) != 1:
        raise StatementError("a predicate of ours speaks of one subject")
    if not isinstance(predicate, _FilePredicate):
        spoken = Subject.of(predicate.checkpoint.origin, predicate.checkpoint.checkpoint().body())
        if statement.subject[0] != spoken:
            raise StatementError("the subject is not the checkpoint that the predicate names")
    return predicate
