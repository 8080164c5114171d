"""`ritornello keys list` and `keys trust`: which keys there are, and who is trusted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from attestations.checkpoints import VerifierKey, parse_vkey
from attestations.errors import KeyFileError
from attestations.keys.files import KEY_SUFFIX, NAME, PUBLIC_SUFFIX, head_of
from attestations.keys.private import KeyRole
from attestations.keys.public import PublicKey, read_public_pem
from attestations.keys.trust import TrustedKey, read_trust, update_trust
from attestations.whole_files import read_regular
from orchestrator.cli.app import AsJson
from orchestrator.cli.key_verbs.key_use import key_path
from orchestrator.cli.key_verbs.making import vkey_of
from orchestrator.cli.key_verbs.user_places import keys_directory, trust_file
from orchestrator.cli.terminal import emit, emit_json, inert, say, table
from replay.errors import UsageError

__all__ = ["keys_list", "keys_trust", "read_public"]

_SIZE_MAX: Final = 16 << 10
#: DER of an Ed25519 SubjectPublicKeyInfo up to its 32 bytes (RFC 8410).
_ED25519_START: Final = bytes.fromhex("302a300506032b6570032100")


def keys_list(*, as_json: AsJson = False) -> int:
    """List your keys, whom you trust, and what was revoked.

    Reads public files alone, so no passphrase is asked. Your keys and the file of
    trusted keys lie in your configuration directory; keys elsewhere, and those in the
    keyring, are not listed.

    Examples:
      ritornello keys list
      ritornello keys list --json | jq .trusted
    """
    trust = read_trust(trust_file())
    own = list(_own())
    if as_json:
        emit_json(
            "keys-list",
            {
                "keys": own,
                "trusted": [{**msgspec.to_builtins(key), "vkey": _vkey(key)} for key in trust.keys],
                "revoked": msgspec.to_builtins(trust.revoked),
                "trust_file": str(trust_file()),
            },
        )
        return 0
    rows = [
        tuple(str(key[field] or "") for field in ("name", "role", "keyid", "state")) for key in own
    ]
    rows += [(key.name, key.role, key.keyid, "trusted") for key in trust.keys]
    rows += [
        ("", "", each.keyid, f"revoked ({each.reason}) from size {each.size} of {each.origin}")
        for each in trust.revoked
    ]
    if not rows:
        say("there is no key, and nobody is trusted; `ritornello keys new NAME` makes one")
        return 0
    for line in table(("NAME", "FOR", "KEY ID", "STATE"), rows):
        emit(line)
    return 0


def keys_trust(
    key: Annotated[
        str,
        typer.Argument(
            metavar="FILE.pub|NAME|NOTEKEY",
            help="A public key: its file, one of your own keys, or a log key as text.",
        ),
    ],
    *,
    name: Annotated[
        str, typer.Option("--as", metavar="NAME", help="What to call it; else what its file says.")
    ] = "",
    log: Annotated[
        bool, typer.Option("--log", help="Trust it for checkpoints, if nothing else says so.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Trust a public key, for one use: statements, or with a log key checkpoints.

    Compare the key id with its owner first, over another way than the one by which the
    file came: whoever can exchange the file can exchange what it says. Nothing that
    comes with a bundle is ever trusted by itself.

    Examples:
      ritornello keys trust alice.pub
      ritornello keys trust workspace.example+3d2d0a7c+AXg5… --log
      ritornello keys trust openssl.pem --as build-server
    """
    role, said, public = read_public(key)
    if role == "witness":
        raise KeyFileError(
            "this is a witness's key",
            where=key,
            hint="`verify --witness` takes it, and `witnesses` in pins.toml",
        )
    if role is None:
        role = "log" if log else "attestation"
    elif log and role != "log":
        raise KeyFileError(f"this is a key for {role}s", where=key, hint="leave out --log")
    called = name or said
    if not called or (role != "log" and NAME.fullmatch(called) is None):
        raise UsageError("the key has no name that can be kept", hint="say --as NAME")
    if role == "log" and name and said and name != said:
        raise UsageError(
            "a log key's name stands in its signatures", hint=f"leave out --as, or say --as {said}"
        )
    trusted = TrustedKey.of(called, role, public)
    added = update_trust(trust_file(), lambda trust: trust.with_key(trusted))
    if as_json:
        fields = {**msgspec.to_builtins(trusted), "vkey": _vkey(trusted)}
        emit_json("keys-trust", {**fields, "added": added})
    else:
        state = "trusted now" if added else "trusted already"
        emit(f"{inert(called)} ({role}) {public.keyid}: {state}")
    return 0


def read_public(named: str) -> tuple[KeyRole | None, str, PublicKey]:
    """Return what a public key is for and called, as far as it says, and the key.

    Args:
        named: the path of its file, the name of one of the person's keys, or a note key.

    Raises:
        KeyFormError: it is none.
        KeyFileError: it cannot be read.
    """
    if named.count("+") >= 2 and not Path(named).exists():
        return _of_note_key(parse_vkey(named))
    path = Path(named)
    if NAME.fullmatch(named) and not path.is_file():
        path = key_path(named).with_suffix(PUBLIC_SUFFIX)
    try:
        data = read_regular(path, _SIZE_MAX)
    except OSError as error:
        raise KeyFileError(
            f"the public key cannot be read: {error.strerror}",
            where=str(path),
            hint="`ritornello keys list` names your own",
        ) from error
    if data.count(b"+") >= 2 and b"-----BEGIN" not in data:  # a file of a note key
        return _of_note_key(parse_vkey(data.decode("ascii", "replace").strip()))
    role, name, keyid = head_of(data, str(path))
    public = read_public_pem(data, str(path))
    if keyid and keyid != public.keyid:
        raise KeyFileError("the key is another one than its file says", where=str(path))
    return role, name, public


def _of_note_key(key: VerifierKey) -> tuple[KeyRole | None, str, PublicKey]:
    role: KeyRole = "log" if key.algorithm == "ed25519" else "witness"
    return role, key.name, PublicKey.from_spki(_ED25519_START + key.public_key)


def _own() -> Iterator[dict[str, str | None]]:
    directory = keys_directory()
    found = sorted(directory.glob(f"*{PUBLIC_SUFFIX}")) if directory.is_dir() else []
    for path in found:
        role, name, public = read_public(str(path))
        private = path.with_suffix(KEY_SUFFIX)
        yield {
            "name": name or path.name.removesuffix(PUBLIC_SUFFIX),
            "role": role,
            "algorithm": public.algorithm,
            "keyid": public.keyid,
            "vkey": None if role is None else vkey_of(name, public, role),
            "state": "yours" if private.exists() else "public file alone",
        }


def _vkey(key: TrustedKey) -> str | None:
    return vkey_of(key.name, key.public(), key.role)
