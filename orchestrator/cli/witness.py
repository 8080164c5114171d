"""`ritornello witness`: cosign the heads of others' logs, each only if it continues the last."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from attestations.checkpoints import VerifierKey
from attestations.witness import Witness, WitnessState
from attestations.witness.serving import WitnessServer
from orchestrator.cli.app import run_verb
from orchestrator.cli.evidence.anchoring import note_key
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.key_verbs.key_use import PassphraseFile, witness_key
from orchestrator.cli.terminal import counted, emit, inert, say
from replay.bundle.manifest import ORIGIN_PREFIX
from replay.errors import UsageError
from replay.log.excerpt import WORKSPACE_ORIGIN_PREFIX

__all__ = ["main"]

_LISTEN: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\[\]:]+)):([0-9]{1,5})")
_PORT_MAX: Final = 65_535


def witness(
    *,
    key: Annotated[
        str,
        typer.Option("--key", metavar="KEY", help="Its own: a name, a file, or keyring:NAME."),
    ],
    log_keys: Annotated[
        list[str],
        typer.Option(
            "--log-key", metavar="VKEY|FILE", help="A key whose heads it cosigns; repeatable."
        ),
    ],
    state: Annotated[
        Path, typer.Option("--state", metavar="DIR", help="Where it keeps what it cosigned.")
    ],
    new: Annotated[
        bool,
        typer.Option("--new", help="Begin the state, in a directory that is new or empty."),
    ] = False,
    listen: Annotated[
        str,
        typer.Option("--listen", metavar="HOST:PORT", help="Port 0 takes a free one."),
    ] = "127.0.0.1:8461",
    passphrase_file: PassphraseFile = None,
) -> int:
    """Cosign the heads of logs, each only if it continues the one that was cosigned last.

    Speaks C2SP tlog-witness over HTTP (`POST /add-checkpoint`) until Ctrl-C. Each --log-key
    may sign the heads of runs and workspaces, and of the log that is called as the key
    is. What it has cosigned stands in --state before it answers: keep that directory, and
    never let the key cosign without it. A witness of your own shows others something only
    if it runs where whoever keeps the runs cannot reach its state and its key.
    It has no TLS: put a proxy in front of it, or leave it on the loopback interface.

    Examples:
      ritornello keys new w1 --witness --no-passphrase
      ritornello witness --key w1 --log-key log.pub --state w1-state --new
      ritornello anchor last --sign log --witness-url http://127.0.0.1:8461 --witness w1
    """
    host, port = _address(listen)
    named = [_log_key(each) for each in log_keys]
    signer = witness_key(key, passphrase_file)
    public = VerifierKey(signer.name, signer.public_bytes, "cosignature/v1")
    kept = WitnessState.begin(state, public) if new else WitnessState.open(state, public)
    answering = Witness(
        state=kept,
        key=public,
        signer=signer,
        log_keys=tuple(dict.fromkeys(named)),
        prefixes=(ORIGIN_PREFIX, WORKSPACE_ORIGIN_PREFIX),
        clock=time.time,
    )
    try:
        server = WitnessServer(host, port, answering, tell=lambda line: say(inert(line)))
    except OSError as error:
        raise UsageError(
            f"the witness cannot listen there: {error.strerror or error}",
            where=listen,
            hint="another --listen HOST:PORT; port 0 takes a free one",
        ) from None
    with server:
        emit(f"listens       {inert(server.url)}")
        emit(f"note key      {public.text()}")
        emit(f"cosigns for   {counted(len(set(named)), 'log key')}")
        sys.stdout.flush()
        server.serve_forever()
    return ExitCode.OK


def _log_key(named: str) -> VerifierKey:
    key = note_key(named)
    if key.algorithm != "ed25519":
        raise UsageError(
            "this key is a witness's", where=key.name, hint="--log-key takes those of logs"
        )
    return key


def _address(listen: str) -> tuple[str, int]:
    found = _LISTEN.fullmatch(listen)
    if found is None or int(found[3]) > _PORT_MAX:
        raise UsageError(
            "this is no address to listen on", where=listen, hint="HOST:PORT, as 127.0.0.1:8461"
        )
    return found[1] or found[2], int(found[3])


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    run_verb("witness", witness, arguments)
