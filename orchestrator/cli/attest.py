"""`ritornello attest`: say what a run or a file is, signed so that others can rely on it."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from attestations.checkpoints import VerifierKey, sign_checkpoint
from attestations.statements.envelope import sign
from attestations.statements.statement import Statement
from orchestrator.cli.app import InWorkspace, run_verb
from orchestrator.cli.evidence.attested import (
    Attestable,
    FileKind,
    attestable_file,
    attestable_run,
    erasure_statements,
)
from orchestrator.cli.evidence.entered import enter_signatures, enter_signed, write_new
from orchestrator.cli.evidence.keyless_use import (
    IdentityTokenFile,
    KeylessSigner,
    PublicSigstore,
    TrustConfigFile,
    check_keyless,
    signed_as,
)
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.key_verbs.key_use import PassphraseFile, attestation_key, log_key
from orchestrator.cli.terminal import counted, inert, say
from replay.bundle.limits import BUNDLE_SUFFIX
from replay.bundle.rewriting import rewrite_bundle
from replay.bundle.statements import DSSE_ENVELOPE, SIGSTORE_BUNDLE
from replay.bundle.statements import Statement as Beside
from replay.errors import UsageError
from replay.log.workspace import DEFAULT_WORKSPACE
from replay.tree import NoteSignature

__all__ = ["main"]


def attest(
    subject: Annotated[
        str,
        typer.Argument(
            metavar="RUN|BUNDLE|FILE|last", help="A run, a bundle, or with --as a file."
        ),
    ],
    *,
    key: Annotated[
        str, typer.Option("--sign", metavar="KEY", help="A key's name, its file, or keyring:NAME.")
    ] = "",
    kind: Annotated[
        FileKind | None, typer.Option("--as", help="What a file is.", show_default=False)
    ] = None,
    predicate: Annotated[
        Literal["all", "own", "provenance", "erasure"],
        typer.Option(
            "--predicate",
            help="Our own statement, SLSA provenance, or both; or what was erased of a run.",
        ),
    ] = "all",
    checkpoint: Annotated[
        bool,
        typer.Option("--checkpoint", help="Sign the run's checkpoint, with a log key."),
    ] = False,
    name: Annotated[str, typer.Option("--name", help="What a file is called in use.")] = "",
    version: Annotated[str, typer.Option("--version", help="A file's version.")] = "",
    media_type: Annotated[str, typer.Option("--media-type", help="What a file holds.")] = "",
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Write to FILE, which is new."),
    ] = None,
    into: Annotated[
        Path | None,
        typer.Option(
            "--into",
            metavar="FILE.ritornello",
            help="Write the bundle again with it, to FILE, which may be the bundle itself.",
        ),
    ] = None,
    workspace: InWorkspace = DEFAULT_WORKSPACE,
    passphrase_file: PassphraseFile = None,
    keyless: Annotated[
        bool, typer.Option("--keyless", help="Sign as an identity, by a Sigstore, without a key.")
    ] = False,
    identity_token: IdentityTokenFile = None,
    trust_config: TrustConfigFile = None,
    public_sigstore: PublicSigstore = False,
) -> int:
    """Say what a run or a file is: in-toto statements in DSSE envelopes, one on each line.

    Of a run or a bundle it says that its record was found whole, of a file which tool,
    prompt or policy it is; and both have SLSA provenance. What is spoken of is the
    SHA-256 of the exact bytes, of a run those of its checkpoint. Without --sign the
    statements are written bare, for another tool to sign. --checkpoint signs the
    checkpoint itself instead: a note, or with --into a line of the bundle's own.
    --keyless signs as whoever an identity token names: it writes Sigstore bundles
    instead, one on each line. That a statement about a run was signed stands in the
    workspace's log.
    1: the run is not sealed, so nothing was written. 3: it does not hold.

    Examples:
      ritornello attest last --sign alice -o run.intoto.jsonl
      ritornello attest run.ritornello --sign alice --into run.ritornello
      ritornello attest run.ritornello --checkpoint --sign log --into run.ritornello
      ritornello attest search.zip --as tool --version 1.2.0 --sign alice
    """
    check_keyless(
        keyless=keyless,
        otherwise_signed=bool(key) or checkpoint,
        token_file=identity_token,
        config=trust_config,
        public=public_sigstore,
    )
    _check(subject, key, kind, output, into, checkpoint=checkpoint, keyless=keyless)
    now_us = time.time_ns() // 1000
    if kind is not None:
        found = attestable_file(Path(subject), kind, name, version, media_type, now_us)
    else:
        found = attestable_run(subject, workspace, now_us)
    if not found.sealed:
        say("attest: the run is not sealed: there is nothing final to speak of; nothing written")
        return ExitCode.DIFFERENT
    if checkpoint:
        return _sign_checkpoint(found, subject, key, passphrase_file, output, into)
    said: tuple[Statement, ...] = (found.own, found.provenance)
    if predicate == "erasure":
        said = erasure_statements(found, subject, workspace, now_us)
    elif predicate != "all":
        said = (found.own,) if predicate == "own" else (found.provenance,)
    if keyless:
        by = KeylessSigner.prepare(identity_token, trust_config)
        made = by.sign([each.encode() for each in said])
        if found.run:
            pairs = [(each.fact.payload_sha256, each.fact.key_sha256) for each in made]
            enter_signatures(workspace, found.run, pairs, now_us)
        say(signed_as(made))
        bundles = [each.bundle + b"\n" for each in made]
        return _hand_out(bundles, SIGSTORE_BUNDLE, Path(subject), output, into)
    if not key:
        _write(b"".join(each.encode() + b"\n" for each in said), output)
        say("unsigned: nobody vouches for these statements; --sign KEY signs them")
        return 0
    signer = attestation_key(key, passphrase_file)
    envelopes = [sign(each.encode(), [signer]) for each in said]
    if found.run:
        enter_signed(workspace, found.run, envelopes, signer, now_us)
    lines = [each.encode() for each in envelopes]
    if into is not None:
        say(f"signed by {signer.public.keyid}")
    return _hand_out(lines, DSSE_ENVELOPE, Path(subject), output, into)


def _check(
    subject: str,
    key: str,
    kind: FileKind | None,
    output: Path | None,
    into: Path | None,
    *,
    checkpoint: bool,
    keyless: bool,
) -> None:
    bundle = Path(subject).suffix == BUNDLE_SUFFIX
    if kind is None and not bundle and Path(subject).is_file():
        raise UsageError(
            "nothing says what this file is", where=subject, hint="add --as tool, prompt or policy"
        )
    if into is not None and (not bundle or kind is not None):
        raise UsageError("--into is about a bundle", hint="leave it out, or export the run first")
    if into is not None and into.suffix != BUNDLE_SUFFIX:
        raise UsageError(f"a bundle's name ends in {BUNDLE_SUFFIX}", where=str(into))
    if into is not None and into.exists() and not into.samefile(subject):
        raise UsageError("the file is there already", where=str(into), hint="take another name")
    if into is not None and not key and not keyless:
        raise UsageError("only what is signed is put into a bundle", hint="add --sign KEY")
    if checkpoint and (kind is not None or not key):
        raise UsageError("--checkpoint is about a run, and signs", hint="add --sign KEY")
    if output is not None and output.exists():
        raise UsageError("the file is there already", where=str(output), hint="take another name")


def _sign_checkpoint(
    found: Attestable,
    subject: str,
    key: str,
    passphrase_file: Path | None,
    output: Path | None,
    into: Path | None,
) -> int:
    assert found.checkpoint is not None, "only a run has one"
    signer = log_key(key, passphrase_file)
    note_key = VerifierKey(signer.name, signer.public_bytes)
    signature: NoteSignature = sign_checkpoint(found.checkpoint, note_key, signer)
    if into is not None:
        rewrite_bundle(Path(subject), into, signatures=[signature])
        say(f"{inert(str(into))}: its checkpoint is signed by {note_key.text()}")
    if into is None or output is not None:
        _write(found.checkpoint.note([signature]), output)
    return 0


def _hand_out(
    lines: Sequence[bytes], media_type: str, bundle: Path, output: Path | None, into: Path | None
) -> int:
    """Put signed statements into the bundle, and write them, as was asked."""
    if into is not None:
        beside = [Beside(media_type=media_type, data=line) for line in lines]
        rewrite_bundle(bundle, into, statements=beside)
        say(f"{inert(str(into))}: holds {counted(len(lines), 'statement')} more")
    if into is None or output is not None:
        _write(b"".join(lines), output)
    return 0


def _write(data: bytes, output: Path | None) -> None:
    if output is not None:
        write_new(output, data)
        return
    sys.stdout.write(data.decode())
    sys.stdout.flush()


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    run_verb("attest", attest, arguments)
