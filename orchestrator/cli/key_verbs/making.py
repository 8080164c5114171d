"""`ritornello keys new`: make a key, where it was asked for and nowhere else."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from attestations.checkpoints import VerifierKey
from attestations.checkpoints.keys import Algorithm
from attestations.errors import KeyFileError
from attestations.keys import keyring_store
from attestations.keys.files import (
    KEY_SUFFIX,
    NAME,
    private_text,
    public_text,
    refuse_place,
    write_pair,
)
from attestations.keys.private import KeyRole, generate
from attestations.keys.public import ALGORITHMS, PublicKey, public_key_of
from orchestrator.cli.app import AsJson
from orchestrator.cli.key_verbs.key_use import KEYRING, PassphraseFile, new_passphrase
from orchestrator.cli.key_verbs.user_places import keys_directory
from orchestrator.cli.terminal import emit, emit_json, inert, say
from replay.errors import UsageError

__all__ = ["keys_new", "vkey_of"]

_USES: Final[dict[KeyRole, str]] = {
    "attestation": "statements",
    "log": "checkpoints",
    "witness": "cosignatures",
}
_ALGORITHMS: Final[dict[KeyRole, Algorithm]] = {"log": "ed25519", "witness": "cosignature/v1"}


def keys_new(
    name: Annotated[str, typer.Argument(help="What to call it: letters, digits, . _ @ -")],
    *,
    log: Annotated[
        bool,
        typer.Option("--log", help="A key that signs checkpoints; else one for statements."),
    ] = False,
    witness: Annotated[
        bool,
        typer.Option("--witness", help="A key that cosigns, for `ritornello witness`."),
    ] = False,
    algorithm: Annotated[
        str, typer.Option("--algorithm", metavar="NAME", help="ed25519 or ecdsa-p256.")
    ] = "ed25519",
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE.key",
            help="The file to write; else NAME.key in your configuration directory.",
        ),
    ] = None,
    keyring: Annotated[
        bool,
        typer.Option("--keyring", help="Put it into the keyring of the system, in no file."),
    ] = False,
    no_passphrase: Annotated[
        bool,
        typer.Option("--no-passphrase", help="Leave it unencrypted: who reads the file has it."),
    ] = False,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> int:
    """Make a key: a private file for you alone, and a public one to give away.

    Three sorts, never one key for two. An attestation key signs statements and
    receipts; a log key (--log) signs checkpoints; a witness key (--witness) cosigns
    those of others. The file is PKCS#8 in PEM, encrypted
    with a passphrase, and refused inside a workspace. Nobody trusts a new key, you
    included: `keys trust` does that.

    Examples:
      ritornello keys new alice
      ritornello keys new workspace.example --log --keyring
      ritornello keys new ci --no-passphrase -o /run/secrets/ci.key
    """
    if log and witness:
        raise UsageError("a key is for one use", hint="leave out --log or --witness")
    role: KeyRole = "log" if log else "witness" if witness else "attestation"
    _check(name, role, algorithm, output, keyring=keyring)
    path = output or keys_directory() / (name + KEY_SUFFIX)
    where = KEYRING + name if keyring else str(path)
    bare = no_passphrase or (keyring and passphrase_file is None)
    passphrase = b"" if bare else new_passphrase(passphrase_file, where)
    private = generate("ecdsa-p256" if algorithm == "ecdsa-p256" else "ed25519")
    public = public_key_of(private.public_key())
    text = private_text(name, role, private, passphrase)
    beside: Path | None = None
    if keyring:
        keyring_store.put(name, text)
    else:
        beside = write_pair(path, text, public_text(name, role, public))
    _tell(name, role, public, where, beside, as_json=as_json)
    sys.stdout.flush()
    if not passphrase and not keyring:
        say(f"this key is not encrypted: who can read {inert(where)} can sign with it")
    return 0


def vkey_of(name: str, public: PublicKey, role: KeyRole) -> str | None:
    """Return a key in the text form of notes; None for one that is for statements."""
    if role == "attestation":
        return None
    return VerifierKey(name, public.raw(), _ALGORITHMS[role]).text()


def _check(name: str, role: KeyRole, algorithm: str, output: Path | None, *, keyring: bool) -> None:
    if NAME.fullmatch(name) is None or name.endswith(KEY_SUFFIX):
        raise UsageError(
            "a key's name is 1 to 64 letters, digits and . _ @ -, and begins with one of the first"
        )
    if algorithm not in ALGORITHMS:
        raise UsageError(f"there is no algorithm {algorithm!r}", hint=" or ".join(ALGORITHMS))
    if role != "attestation" and algorithm != "ed25519":
        raise UsageError(f"a {role} key is Ed25519", hint="leave out --algorithm")
    if output is not None and keyring:
        raise UsageError("a key goes into a file or into the keyring", hint="leave out one")
    if output is not None and output.suffix != KEY_SUFFIX:
        raise KeyFileError(f"a private key's file ends in {KEY_SUFFIX}", where=str(output))
    if not keyring:
        refuse_place(output or keys_directory() / (name + KEY_SUFFIX))  # before anyone is asked


def _tell(
    name: str, role: KeyRole, public: PublicKey, where: str, beside: Path | None, *, as_json: bool
) -> None:
    vkey = vkey_of(name, public, role)
    if as_json:
        emit_json(
            "keys-new",
            {
                "name": name,
                "role": role,
                "algorithm": public.algorithm,
                "keyid": public.keyid,
                "vkey": vkey,
                "private": where,
                "public": None if beside is None else str(beside),
                "public_pem": public.pem().decode(),
            },
        )
        return
    emit(f"key           {name}, for {_USES[role]}")
    emit(f"algorithm     {public.algorithm}")
    emit(f"key id        {public.keyid}")
    if vkey is not None:
        emit(f"note key      {vkey}")
    emit(f"private       {inert(where)}")
    if beside is None:
        emit(public.pem().decode().rstrip())
    else:
        emit(f"public        {inert(str(beside))}")
