"""Gathers the evidence of a run or of the workspace, and concludes the verdicts.

The one invariant: what is compared with anything from elsewhere was computed from the records at
hand. Of a log whose records do not hold nothing is compared and nothing is remembered. A bundle is
checked without the database: it is imported only for a run of the workspace.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, Literal

import msgspec

from attestations.verdicts import (
    AnchorFact,
    Facts,
    Finding,
    Judgement,
    Requirements,
    SignatureFact,
    Verdicts,
    WitnessFact,
    judge,
)
from orchestrator.cli.evidence.anchoring import Anchors, anchor_facts, seen_before
from orchestrator.cli.evidence.authenticity import note_facts, statement_facts
from orchestrator.cli.evidence.beside import beside_fields, beside_lines
from orchestrator.cli.evidence.earlier import NEVER, Earlier, Logged, logged_here, logged_in
from orchestrator.cli.evidence.erasures import (
    erasure_fields,
    erasure_lines,
    erasures_here,
    erasures_in,
)
from orchestrator.cli.evidence.heads import workspace_head, workspace_origin
from orchestrator.cli.evidence.kept_signatures import kept_signatures, with_more
from orchestrator.cli.evidence.kept_time_stamps import kept_time_stamps
from orchestrator.cli.evidence.keyless_trust import KeylessTrust, keyless_facts
from orchestrator.cli.evidence.receipt_evidence import Receipts
from orchestrator.cli.evidence.uncaptured import GapReader
from orchestrator.cli.terminal import inert
from replay.bundle.attached import read_attached
from replay.bundle.limits import BUNDLE_SUFFIX
from replay.bundle.reader import BundleReader
from replay.bundle.statements import TIME_STAMP, Statement
from replay.errors import BundleTruncatedError, IntegrityError, NotFoundError
from replay.log.excerpt import Excerpt
from replay.log.fsck import Holes, RunCheck, check
from replay.log.head import origin_of, read_head
from replay.log.named_heads import (
    NamedHead,
    against_named,
    named_heads,
    prefix_root_of,
)
from replay.log.record_check import Finding as Problem
from replay.log.seeming import seeming
from replay.log.workspace import Workspace, WorkspaceCheck
from replay.tree import Checkpoint, NoteSignature

__all__ = ["Demands", "Verified", "verify_run", "verify_stored", "verify_workspace"]

_WIDTH: Final = 14


class Demands(msgspec.Struct, frozen=True, kw_only=True):
    """What a verifier has and wants.

    Attributes:
        requirements: of the verdicts.
        anchors: what it has from elsewhere.
        keyless: whom it believes to sign without a key.
        receipts: of replays, and keys for statements, that it named.
        pins: how many of the pins have to hold for a log.
    """

    requirements: Requirements
    anchors: Anchors
    keyless: KeylessTrust = KeylessTrust()
    receipts: Receipts = Receipts()
    pins: Literal["all", "any", "none"] = "all"


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """What a verification found.

    Attributes:
        verdicts: the four verdicts.
        judgement: whether what is required holds.
        run: the check of a run's records; None for the workspace.
        identity: of a bundle: hex SHA-256 of its manifest, empty if it cannot be read.
        anchors: how its head compares with what is known from elsewhere.
        beside: what lies beside a bundle's run, and what was erased of a run, by whom and why.
        beside_lines: the same for people.
        unread: whether nothing could be read, so that nothing was counted.
    """

    verdicts: Verdicts
    judgement: Judgement
    run: RunCheck | None = None
    identity: str | None = None
    anchors: tuple[AnchorFact, ...] = ()
    beside: dict[str, object] = {}
    beside_lines: tuple[str, ...] = ()
    unread: bool = False

    @property
    def check(self) -> RunCheck:
        """The check of a run's records."""
        assert self.run is not None, "the workspace log is no run"
        return self.run


def verify_run(name: str, workspace: Path, demands: Demands) -> Verified:
    """Verify a bundle, or a run of the workspace.

    Raises:
        NotFoundError: it is not there.
    """
    if Path(name).suffix != BUNDLE_SUFFIX:
        try:
            place = Workspace.open(workspace, create=False)
        except NotFoundError:
            there = seeming(Path(name))
            if there is None:
                raise
            raise NotFoundError(
                f"{name!r} is no run: it seems to be {there[0]}", hint=there[1]
            ) from None
        return verify_stored(place, place.run_directory(name), demands)
    if not Path(name).is_file():
        raise NotFoundError("no such bundle", where=name)
    try:
        with BundleReader.open(Path(name)) as reader:
            return _of_bundle(reader, demands)
    except IntegrityError as error:
        return _unreadable(error, demands, identity="")


def verify_stored(
    place: Workspace,
    directory: Path,
    demands: Demands,
    named: Mapping[str, Sequence[NamedHead]] | None = None,
) -> Verified:
    """Verify a run of the workspace; what cannot be opened is a finding too.

    Args:
        place: the workspace.
        directory: the run's.
        demands: what is wanted.
        named: the heads that the workspace's log names, if they were read already.
    """
    from replay.log.duckdb_store import DuckDBStore

    named = named_heads(place) if named is None else named
    try:
        head = read_head(directory)
        store = DuckDBStore.open(directory, read_only=True, compare_head=False)
    except IntegrityError as error:
        return _unreadable(error, demands)
    try:
        watched = GapReader(store)
        checked = against_named(check(watched, head=head), directory.name, store, head, named)
        signatures: tuple[NoteSignature, ...] = ()
        statements: tuple[Statement, ...] = ()
        excerpts: tuple[Excerpt, ...] = ()
        origin = origin_of(checked.run or directory.name)
        now = Checkpoint(origin, checked.events, bytes.fromhex(checked.root))
        if checked.integrity == "ok":
            attached = None
            own: tuple[NoteSignature, ...] = ()
            try:
                attached = read_attached(directory)
                own = kept_signatures(directory, now)
            except IntegrityError as error:
                lost = Problem(code="attached", seq=None, message=_said(error))
                checked = msgspec.structs.replace(checked, integrity="failed", findings=(lost,))
            if attached is not None:
                unchanged = attached.manifest.root == checked.root
                signatures = attached.signatures if unchanged else ()
                statements, excerpts = attached.statements, attached.excerpts
            signatures = with_more(signatures, own)
            statements = (*statements, *kept_time_stamps(directory, now))

        def logs() -> Iterator[Logged]:
            yield from logged_here(place, directory.name, demands.anchors)
            yield from logged_in(excerpts, directory.name, demands.anchors)

        earlier = Earlier(logs)
        found = _concluded(watched, checked, now, signatures, statements, demands, earlier)
        erasures, erased = erasures_here(place, directory.name), checked.holes.erased
        return msgspec.structs.replace(
            found,
            beside=erasure_fields(erasures, erased),
            beside_lines=tuple(erasure_lines(erasures, erased, _WIDTH)),
        )
    finally:
        store.close()


def verify_workspace(place: Workspace, demands: Demands) -> tuple[WorkspaceCheck, Verified]:
    """Verify the log of the workspace: its records, and its head against those seen before."""
    begun = None
    with contextlib.suppress(IntegrityError):  # what is damaged is a finding below
        origin = workspace_origin(place)
        # Before the records are read: others append to them.
        begun = None if origin is None else seen_before(demands.anchors, origin)
    found = place.verify()
    anchors: tuple[AnchorFact, ...] = ()
    witnesses: tuple[WitnessFact, ...] = ()
    head = None
    if found.integrity == "ok":
        try:
            head = workspace_head(place, found)
        except IntegrityError as error:
            problem = Problem(code="origin", seq=None, message=error.message)
            found = msgspec.structs.replace(found, integrity="failed", findings=(problem,))
    if head is not None:
        anchors, witnesses = anchor_facts(
            demands.anchors, head.checkpoint, (), (), head.prefix_root, begun
        )
    facts = Facts(
        problems=_findings(found.findings),
        # A workspace's log has no end; what is missing of it, its head and its memory tell.
        sealed=True,
        truncated=found.head == "ahead",
        anchors=anchors,
        witnesses=witnesses,
        threshold=demands.anchors.threshold,
    )
    return found, _judged(facts, demands)


def _of_bundle(reader: BundleReader, demands: Demands) -> Verified:
    watched = GapReader(reader)
    checked = check(watched, head=reader.checkpoint)
    found = _concluded(
        watched,
        checked,
        reader.checkpoint,
        reader.signatures,
        tuple(reader.statements()),
        demands,
        Earlier(lambda: logged_in(reader.excerpts(), reader.run_id, demands.anchors)),
    )
    erasures, erased = erasures_in(reader), checked.holes.erased
    return msgspec.structs.replace(
        found,
        identity=reader.identity,
        beside={**beside_fields(reader), **erasure_fields(erasures, erased)},
        beside_lines=(
            *beside_lines(reader, _WIDTH),
            *erasure_lines(erasures, erased, _WIDTH),
        ),
    )


def _concluded(
    watched: GapReader,
    checked: RunCheck,
    now: Checkpoint,
    signatures: Sequence[NoteSignature],
    statements: Sequence[Statement],
    demands: Demands,
    earlier: Earlier = NEVER,
) -> Verified:
    """Conclude from a finished check; `now` is computed from, or was compared with, its records."""
    anchors: tuple[AnchorFact, ...] = ()
    witnesses: tuple[WitnessFact, ...] = ()
    signed: tuple[SignatureFact, ...] = ()
    if checked.integrity == "ok":
        given = demands.anchors
        receipts = demands.receipts
        refusal = receipts.refusal(now, earlier, statements)
        keyless, signed_times = keyless_facts(now, statements, demands.keyless, refusal)
        signed = (
            *note_facts(now, signatures, given.log_keys, given.witnesses, earlier),
            *statement_facts(now, statements, receipts.keys, earlier, refusal),
            *receipts.facts(now, refusal, earlier),
            *keyless,
        )
        stamps = [each.data for each in statements if each.media_type == TIME_STAMP]
        anchors, witnesses = anchor_facts(
            given, now, signatures, stamps, prefix_root_of(watched.reader)
        )
        anchors = (*_with_logs(anchors, now, given, earlier), *signed_times)
    facts = Facts(
        problems=_findings(checked.findings),
        omitted=checked.omitted,
        sealed=watched.last_kind == "RunSealed",
        truncated=checked.completeness == "truncated",
        missing=checked.completeness == "gaps",
        gaps=watched.gaps(),
        signatures=signed,
        anchors=anchors,
        witnesses=witnesses,
        threshold=demands.anchors.threshold,
    )
    return msgspec.structs.replace(_judged(facts, demands), run=checked)


def _with_logs(
    facts: Iterable[AnchorFact], now: Checkpoint, given: Anchors, earlier: Earlier
) -> Iterator[AnchorFact]:
    """Yield the anchors, with pins of a workspace's log that holds the head of this run."""
    pins = dict(given.pins)
    for fact in facts:
        pin = pins.get(fact.source) if fact.outcome == "none" else None
        if fact.kind == "pin" and pin is not None and earlier.pinned(now, pin):
            message = f"{inert(fact.source)} pins {pin.size} records of a log that holds this head"
            yield AnchorFact("pin", "holds", message, fact.source)
        else:
            yield fact


def _judged(facts: Facts, demands: Demands) -> Verified:
    verdicts = judge(facts)
    judgement = demands.requirements.check(verdicts)
    named = demands.anchors.unmet(facts.anchors, verdicts.anchoring.states, demands.pins)
    if demands.anchors.signed_by_none(facts.signatures):
        named.append("--log-key")
    named += demands.keyless.unmet(facts.signatures)
    named += demands.receipts.unmet(facts.signatures)
    if named:
        outcome = "absent" if judgement.outcome == "held" else judgement.outcome
        judgement = Judgement(outcome, (*judgement.unmet, *named))
    return Verified(verdicts=verdicts, judgement=judgement, anchors=facts.anchors)


def _said(error: IntegrityError) -> str:
    where = f" ({error.where})" if error.where else ""
    return error.message + where + (f"; {error.hint}" if error.hint else "")


def _unreadable(error: IntegrityError, demands: Demands, identity: str | None = None) -> Verified:
    problem = Problem(code=error.code, seq=None, message=_said(error))
    truncated = isinstance(error, BundleTruncatedError)
    checked = RunCheck(
        integrity="failed",
        completeness="truncated" if truncated else "gaps",
        events=0,
        root="",
        run=None,
        inputs=0,
        derived=0,
        unknown_kinds=0,
        holes=Holes(),
        head="absent",
        findings=(problem,),
    )
    facts = Facts(unread=True, problems=_findings((problem,)), sealed=False, truncated=truncated)
    judged = _judged(facts, demands)
    return msgspec.structs.replace(judged, run=checked, identity=identity, unread=True)


def _findings(problems: Iterable[Problem]) -> tuple[Finding, ...]:
    return tuple(Finding(each.code, each.message, each.seq) for each in problems)
