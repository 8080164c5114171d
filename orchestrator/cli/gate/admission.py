"""Whether a bundle, a run that came from one, or a program's code may run here."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from orchestrator.cli.gate.code_statements import (
    code_envelopes,
    module_envelopes,
    named_by,
    signed_among,
)
from orchestrator.cli.gate.decisions import (
    decide,
    decision_fields,
    envelopes_beside,
    read_bounded,
    refuse,
)
from orchestrator.cli.gate.early_code import refuse_early_code
from orchestrator.cli.gate.elsewhere import is_from_elsewhere
from orchestrator.cli.gate.sights import earlier_in
from orchestrator.cli.gate.trust_layers import trust_here
from orchestrator.cli.terminal import inert
from replay.bundle.attached import read_attached
from replay.bundle.limits import BUNDLE_SUFFIX
from replay.bundle.reader import BundleReader
from replay.bundle.statements import DSSE_ENVELOPE, SIGSTORE_BUNDLE
from replay.errors import NotFoundError, UsageError
from replay.events.code_kinds import AdmissionDecided
from replay.events.payload import decode_payload
from replay.log.named_heads import check_run
from replay.log.workspace import Workspace
from replay.session.command_line import Command
from replay.session.conditions import Conditions, checkpoint_digest, open_admitted
from replay.session.launcher import program_of
from replay.session.messages import Call
from replay.session.record_start import first_record

if TYPE_CHECKING:
    from attestations.admission.decision import Decision
    from attestations.admission.layers import TrustPolicy
    from replay.log.port import LogReader

__all__ = [
    "Admission",
    "admit_program",
    "admit_run",
    "decide_bundle",
    "decide_cassette",
    "decide_reader",
]

_SIGNED: Final = frozenset({DSSE_ENVELOPE, SIGSTORE_BUNDLE})
_SOURCE_SIZE_MAX: Final = 64 << 20
_FIRST_RECORDS: Final = 2


class Admission(msgspec.Struct, frozen=True, kw_only=True):
    """What was decided before something runs; nothing, where no policy holds.

    Attributes:
        conditions: what has to hold where it runs.
        decisions: one for each artifact that was asked about.
        recorded: what was decided when the run was recorded, if it says so.
    """

    conditions: Conditions = Conditions()
    decisions: tuple[Decision, ...] = ()
    recorded: AdmissionDecided | None = None

    def kept(self) -> tuple[AdmissionDecided, ...]:
        """Return the decisions as the log of a workspace keeps them."""
        return tuple(map(_kept, self.decisions))

    def fields(self) -> dict[str, object]:
        """Return what stands about it in a verb's JSON object."""
        if not self.decisions:
            return {"admission": None}
        recorded = None if self.recorded is None else msgspec.to_builtins(self.recorded)
        decided = [decision_fields(each) for each in self.decisions]
        return {"admission": {"decisions": decided, "recorded": recorded}}

    def lines(self) -> Iterator[str]:
        """Yield what is said about it."""
        for each in self.decisions:
            how = {"required": "admitted", "observe": f"observed: policies would {each.judged} it"}
            name = inert(each.artifact.name or each.artifact.kind, 80)
            yield f"ritornello: {how[each.mode]}: {each.artifact.kind} {name}"
        now = next((each for each in self.decisions if each.artifact.kind == "code"), None)
        if now is not None and self.recorded is not None and now.judged != self.recorded.judged:
            before = self.recorded.judged
            yield f"  note: the code was judged {before} when it was recorded, {now.judged} now"


def admit_run(
    run: str, workspace: Path, directory: Path | None, option: str | None = None
) -> Admission:
    """Decide about a recorded run and the code that it would start, before either is used.

    Args:
        run: a run of the workspace, or the path of a bundle.
        workspace: directory that holds the runs.
        directory: where the program is started; where it was, if not given.
        option: a policy that the command line pins.

    Raises:
        AdmissionError: one of them may not run.
        PolicyError: a policy cannot be read.
        NotFoundError: there is no such run.
        IntegrityError: it is damaged.
        UsageError: Python would run code before it can be asked about.
    """
    trust = trust_here(directory or Path.cwd(), option)
    if trust is None:
        return Admission()
    decisions: list[Decision] = []
    conditions = Conditions()
    if is_from_elsewhere(run, workspace):
        decision = _decide_foreign(trust, run, workspace)
        refuse(decision)
        decisions.append(decision)
        conditions = Conditions(record=decision.artifact.digest)
    with contextlib.closing(open_admitted(run, workspace, conditions)) as reader:
        started = first_record(reader)
        recorded = _recorded(reader)
    if started.observed:
        return Admission(conditions=conditions, decisions=tuple(decisions))
    place = (directory or Path(started.directory)).absolute()
    try:
        program = program_of(started, place)
    except (UsageError, NotFoundError):
        # Whoever starts it says so; until then nothing may run.
        nothing = msgspec.structs.replace(conditions, code=())
        return Admission(conditions=nothing, decisions=tuple(decisions), recorded=recorded)
    code, files = _decide_code(trust, program, place)
    refuse(code)
    refuse_early_code(program, place, files)
    return Admission(
        conditions=msgspec.structs.replace(files, record=conditions.record),
        decisions=(*decisions, code),
        recorded=recorded,
    )


def admit_program(program: Command | Call, option: str | None = None) -> Admission:
    """Decide about a program that is to be recorded, before any of it runs.

    Raises:
        AdmissionError: it may not.
        PolicyError: a policy cannot be read.
        UsageError: Python would run code before it can be asked about.
    """
    trust = trust_here(Path.cwd(), option)
    if trust is None:
        return Admission()
    decision, files = _decide_code(trust, program, Path.cwd())
    refuse(decision)
    refuse_early_code(program, Path.cwd(), files)
    conditions = msgspec.structs.replace(files, decided=_kept(decision))
    return Admission(conditions=conditions, decisions=(decision,))


def _kept(decision: Decision) -> AdmissionDecided:
    """Return a decision as records keep it.

    The digest of text that nobody vouched for is left out: the text may have to be erased.
    """
    vouched = any(each.code == "met" for each in decision.reasons)
    named = vouched or decision.artifact.kind == "bundle"
    return AdmissionDecided(
        subject=decision.artifact.kind,
        name=decision.artifact.name,
        digest=decision.artifact.digest if named else "",
        verdict=decision.verdict,
        judged=decision.judged,
        mode=decision.mode,
        policies=decision.policies,
        reasons=tuple((each.code, each.text) for each in decision.reasons),
    )


def decide_reader(
    trust: TrustPolicy, reader: BundleReader, path: Path, *, at_us: int | None = None
) -> Decision:
    """Decide about a bundle that is open: about the bytes that this reader reads.

    Args:
        trust: the policies.
        reader: the bundle, verified.
        path: its file, for its name and for statements beside it.
        at_us: the time to decide for; now, if not given.
    """
    from attestations.admission.facts import Artifact

    digest = sha256(reader.checkpoint.body()).hexdigest()
    artifact = Artifact(kind="bundle", digest=digest, name=path.name)
    inside = [each.data for each in reader.statements() if each.media_type in _SIGNED]
    logs = earlier_in(reader.excerpts, reader.run_id)
    return decide(trust, artifact, [*inside, *envelopes_beside(path)], at_us=at_us, earlier=logs)


def decide_bundle(trust: TrustPolicy, path: Path, *, at_us: int | None = None) -> Decision:
    """Decide about a bundle in a file.

    Raises:
        BundleError: it is damaged.
        NotFoundError: it is not there.
    """
    if not path.is_file():
        raise NotFoundError("no such bundle", where=str(path), hint="name a file that is there")
    with BundleReader.open(path) as reader:
        return decide_reader(trust, reader, path, at_us=at_us)


def decide_cassette(trust: TrustPolicy, path: Path) -> Decision:
    """Decide about a recording of another tool, which is imported as a run and never runs."""
    from attestations.admission.facts import Artifact

    digest = sha256(read_bounded(path, _SOURCE_SIZE_MAX)).hexdigest()
    artifact = Artifact(kind="bundle", digest=digest, name=path.name)
    return decide(trust, artifact, envelopes_beside(path))


def _decide_foreign(trust: TrustPolicy, run: str, workspace: Path) -> Decision:
    if Path(run).suffix == BUNDLE_SUFFIX:
        return decide_bundle(trust, Path(run))
    from attestations.admission.facts import Artifact

    with contextlib.closing(open_admitted(run, workspace, Conditions())) as reader:
        digest = checkpoint_digest(check_run(reader))
    home = Workspace.open(workspace, create=False)
    place = home.run_directory(run)
    attached = read_attached(place)
    said = () if attached is None else attached.statements
    envelopes = [each.data for each in said if each.media_type in _SIGNED]
    artifact = Artifact(kind="bundle", digest=digest, name=place.name)
    logs = earlier_in(lambda: attached.excerpts if attached else (), place.name, home)
    return decide(trust, artifact, envelopes, earlier=logs)


def _recorded(reader: LogReader) -> AdmissionDecided | None:
    """Return what stands in a record about its own admission."""
    for entry in reader.entries(0, _FIRST_RECORDS):
        if entry.header.kind == "AdmissionDecided" and entry.brought:
            data = [part.data for part in entry.brought]
            if None not in data and len(data) == len(entry.parts):
                whole = b"".join(each for each in data if each is not None)
                payload, _ = decode_payload(entry.header.media, whole, entry.header.seq)
                return payload if isinstance(payload, AdmissionDecided) else None
    return None


def _decide_code(
    trust: TrustPolicy, program: Command | Call, directory: Path
) -> tuple[Decision, Conditions]:
    """Decide about what a program begins with; return also which of its files may run."""
    from attestations.admission.evaluation import evaluate
    from attestations.admission.facts import Artifact, Facts

    name, data, file = _beginning(program, directory)
    envelopes = list(code_envelopes(file, directory))
    artifact = Artifact(kind="code", digest=sha256(data).hexdigest(), name=name)
    decision = decide(trust, artifact, envelopes)
    if trust.mode == "observe":
        return decision, Conditions()
    nobody = Artifact(kind="code", digest=sha256(b"").hexdigest())
    if evaluate(trust, Facts(artifact=nobody), 0).judged == "allow":
        revoked = {each.digest for each in trust.revoked if each.digest is not None}
        return decision, Conditions(revoked=tuple(sorted(revoked)))
    said = signed_among(trust, [*envelopes, *module_envelopes(directory, file)])
    admitted = [
        digest
        for digest, about in named_by(said).items()
        if decide(trust, Artifact(kind="code", digest=digest), about).verdict == "allow"
    ]
    return decision, Conditions(code=tuple(sorted(admitted)))


def _beginning(program: Command | Call, directory: Path) -> tuple[str, bytes, Path | None]:
    """Return what a program begins with: its name, its bytes, and its file."""
    if isinstance(program, Call):
        name = program.file
        file = directory / program.file
    elif program.form == "code":
        return "-c", program.target.encode(), None
    elif program.form == "module":
        name = f"-m {program.target}"
        parts = program.target.split(".")
        file = directory.joinpath(*parts).with_suffix(".py")
        if not file.is_file():
            file = directory.joinpath(*parts, "__main__.py")
    else:
        name = program.target
        file = directory / (program.path or program.target)
        if program.form == "tool":
            file = Path(shutil.which(program.target) or program.target)
        if file.is_dir():
            file /= "__main__.py"
    if not file.is_file():
        return name, name.encode(), None
    return name, read_bounded(file, _SOURCE_SIZE_MAX), file
