"""`ritornello policy`: what policies say, and what they would decide."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, get_args

import msgspec
import typer

from attestations.admission.decision import Decision
from attestations.admission.evaluation import evaluate
from attestations.admission.facts import Artifact, ArtifactKind, Facts
from attestations.admission.gathering import revocations_of
from attestations.admission.layers import Layer, TrustPolicy, merge
from attestations.admission.pins import layer_of
from attestations.errors import PolicyError
from attestations.statements.strict_json import check_json
from orchestrator.cli.app import AsJson, run_verb
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.gate.admission import decide_bundle
from orchestrator.cli.gate.code_statements import code_envelopes
from orchestrator.cli.gate.decisions import (
    decide,
    decision_fields,
    decision_lines,
    envelopes_beside,
    known_keys,
    now_us,
    read_bounded,
)
from orchestrator.cli.gate.receipts import decide_receipts
from orchestrator.cli.gate.trust_layers import trust_here
from orchestrator.cli.terminal import emit, emit_json, inert, say
from replay.bundle.limits import BUNDLE_SUFFIX
from replay.errors import UsageError

if TYPE_CHECKING:
    from attestations.admission.policy import Rule

__all__ = ["main"]

_SUBJECT_SIZE_MAX: Final = 256 << 20
_FACTS_SIZE_MAX: Final = 8 << 20
_KINDS: Final[dict[str, ArtifactKind]] = {".py": "code", ".toml": "policy", ".jsonl": "receipt"}


def decide_about(
    policy: Annotated[
        str, typer.Argument(metavar="POLICY|-", help="A policy file; `-` for those that hold here.")
    ],
    subjects: Annotated[
        list[str],
        typer.Argument(
            metavar="BUNDLE|FACTS.json|FILE...",
            help="What to decide about: bundles, facts, or files with statements beside them.",
        ),
    ],
    *,
    kind: Annotated[
        str | None,
        typer.Option(
            "--kind",
            metavar="KIND",
            help="What a FILE is: code, policy, prompt, receipt, tool; else by its suffix.",
        ),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="TIME", help="Decide for another time, in ISO 8601."),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Show what a policy decides about artifacts, with the rule, and run nothing.

    The file is taken as it is, pinned or not. What a policy would deny is said to be
    denied, also where it only looks on. 0: all are allowed. 6: one is denied.

    Examples:
      ritornello policy test policy.toml run.ritornello
      ritornello policy test policy.toml facts.json --at 2027-01-01T00:00:00Z
      ritornello policy test - agent.py --json
    """
    trust = _trust(policy)
    at_us = _instant(at)
    decisions = [each for subject in subjects for each in _decided(trust, subject, kind, at_us)]
    if as_json:
        emit_json("policy", {"decisions": [decision_fields(each) for each in decisions]})
    else:
        for decision in decisions:
            for line in decision_lines(decision):
                emit(line)
    denied = any(each.judged == "deny" for each in decisions)
    return ExitCode.REFUSED if denied else ExitCode.OK


def explain(
    policy: Annotated[
        str | None,
        typer.Argument(metavar="[POLICY]", help="A policy file; those that hold here, if none."),
    ] = None,
    *,
    as_json: AsJson = False,
) -> int:
    """Say what a policy asks for, in sentences, and the digest by which it is pinned.

    Without a file: the policies that hold for what starts in this directory, who
    brought each one, and what they come to together.

    Examples:
      ritornello policy explain policy.toml
      ritornello policy explain
    """
    trust = _trust(policy or "-")
    if as_json:
        layers = [
            {"digest": each.digest, "source": each.source, "where": each.where}
            | {"policy": msgspec.to_builtins(each.policy)}
            for each in trust.layers
        ]
        revocations = msgspec.to_builtins(trust.revocations)
        emit_json("policy", {"mode": trust.mode, "layers": layers, "revocations": revocations})
        return ExitCode.OK
    if not trust.layers:
        say("no policy holds here: everything runs, and nothing is recorded of it")
        return ExitCode.OK
    for layer in trust.layers:
        for line in _layer_lines(layer):
            emit(line)
    for layer in trust.weaker():
        emit(f"{inert(layer.where)} asks to look on; another policy decides, so it is overruled")
    emit(f"together: {'they decide' if trust.mode == 'required' else 'they look on'}")
    return ExitCode.OK


def _trust(policy: str) -> TrustPolicy:
    revocations = revocations_of(known_keys()[0])
    if policy == "-":
        return trust_here(Path.cwd()) or TrustPolicy(revocations=revocations)
    layer = layer_of(read_bounded(Path(policy)), where=policy, source="pinned")
    return merge([layer], revocations)


def _instant(text: str | None) -> int:
    if text is None:
        return now_us()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise UsageError(f"{text!r} is no time", hint="such as 2027-01-01T00:00:00Z")
    return int(moment.timestamp() * 1_000_000)


def _decided(trust: TrustPolicy, subject: str, kind: str | None, at_us: int) -> Iterable[Decision]:
    path = Path(subject)
    if path.suffix == BUNDLE_SUFFIX:
        return [decide_bundle(trust, path, at_us=at_us)]
    if path.suffix == ".json" and kind is None:
        data = read_bounded(path, _FACTS_SIZE_MAX)
        try:
            check_json(data)
            facts = msgspec.json.decode(data, type=Facts)
        except (ValueError, RecursionError) as error:  # msgspec's own are ValueErrors
            raise PolicyError(
                f"the file holds no facts: {error}",
                where=subject,
                hint="what it is, if it is no facts: --kind tool",
            ) from None
        return [evaluate(trust, facts, at_us)]
    named = kind or _KINDS.get(path.suffix)
    if named is None:
        raise UsageError("what kind of artifact is it?", where=subject, hint="--kind tool")
    data = read_bounded(path, _SUBJECT_SIZE_MAX)
    if named == "receipt":
        return decide_receipts(trust, data, subject, at_us)
    digest = sha256(data).hexdigest()
    try:
        artifact = msgspec.convert({"kind": named, "digest": digest, "name": subject}, Artifact)
    except msgspec.ValidationError as error:
        kinds = ", ".join(get_args(ArtifactKind))
        raise UsageError(f"{named!r} is no kind of artifact", hint=f"it can be {kinds}") from error
    said = code_envelopes(path, Path.cwd()) if named == "code" else envelopes_beside(path)
    return [decide(trust, artifact, said, at_us=at_us)]


def _layer_lines(layer: Layer) -> Iterator[str]:
    policy = layer.policy
    yield f"policy {policy.name} {policy.version}, {layer.source}: {inert(layer.where)}"
    yield f"  sha256 {layer.digest}"
    if layer.source == "pinned":
        yield f"  pin {inert(layer.where)}@sha256:{layer.digest}"
    decides = policy.trust == "required"
    yield f"  it {'decides: what no rule allows is denied' if decides else 'looks on'}"
    if policy.expires is not None:
        yield f"  it runs out on {policy.expires.isoformat()}"
    for rule in policy.rules:
        yield f"  {rule.name}: {inert(_sentence(rule), 2000)}"
    for each in policy.revocations:
        who = each.key or each.digest or f"{each.identity} by {each.issuer}"
        since = "" if each.size is None else f", but for what was seen by size {each.size}"
        why = f" ({each.reason})" if each.reason else ""
        yield f"  revoked: {inert(who)}{since}{inert(why)}"


def _sentence(rule: Rule) -> str:
    if rule.accept == "any":
        return f"any {rule.kind} may run"
    said = " and ".join(rule.predicates)
    text = f"of a {rule.kind}, {rule.threshold} of {', '.join(rule.signers)} must have said {said}"
    if rule.minimum_version is not None:
        text += f", of version {rule.minimum_version} or later"
    if rule.maximum_age_days is not None:
        text += f", in the last {rule.maximum_age_days} days"
    if rule.build_types:
        text += f", built by {' or '.join(rule.build_types)}"
    if rule.seen:
        text += f", {' or '.join(rule.seen)}"
    return text


_ACTIONS: Final = {"explain": explain, "test": decide_about}
_USAGE: Final = """\
Usage: ritornello policy test POLICY|- BUNDLE|FACTS.json|FILE...
       ritornello policy explain [POLICY]

What policies say, and what they would decide. Nothing runs.

  test     show what a policy decides about artifacts, with the rule
  explain  say what a policy asks for, and the digest by which it is pinned

`ritornello policy test --help` says more.

Examples:
  ritornello policy test policy.toml run.ritornello
  ritornello policy explain
"""


def main(arguments: Sequence[str]) -> None:
    """Run one of the verb's actions."""
    action, *rest = arguments or ["--help"]
    if action in {"--help", "-h"}:
        sys.stdout.write(_USAGE)
        return
    if action not in _ACTIONS:
        say(f"usage: `ritornello policy` has no action {action!r}", "  try: test, or explain")
        sys.exit(ExitCode.USAGE)
    if action == "test":
        run_verb("policy test", decide_about, rest)
    run_verb("policy explain", explain, rest)
