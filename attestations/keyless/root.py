"""The trusted root of a Sigstore: which authorities and logs are believed, pinned by a digest.

The one invariant: the bytes whose digest was compared are the bytes that are used. Nothing here
reads a cache or asks a network: sigstore's own offline mode takes an unverified file of the user's
cache, so it is not used.

Source: https://github.com/sigstore/protobuf-specs (TrustedRoot).
"""

from __future__ import annotations

import json
import re
from base64 import b64decode
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import msgspec

from attestations.errors import KeylessError
from attestations.keyless.library import refusing, require_sigstore
from attestations.statements.strict_json import check_json
from attestations.whole_files import read_regular

if TYPE_CHECKING:
    from sigstore.models import TrustedRoot

__all__ = ["ROOT_SIZE_MAX", "PinnedRoot", "parse_pinned_file", "read_bounded"]

ROOT_SIZE_MAX: Final = 1 << 20
"""Longest trusted root, or trust configuration, in bytes."""

_PINNED_FILE: Final = re.compile(r"(?P<path>.+)@(?:sha256:)?(?P<digest>[0-9a-f]{64})", re.DOTALL)
_CONFIG_TYPE: Final = "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json"


class _LogId(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    key_id: str


class _Log(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    base_url: str
    log_id: _LogId


class _Root(msgspec.Struct, frozen=True, kw_only=True):
    tlogs: tuple[_Log, ...]


@dataclass(frozen=True, slots=True)
class PinnedRoot:
    """A trusted root whose bytes are the ones that were meant.

    Attributes:
        data: its exact bytes.
        digest: hex SHA-256 of them.
        log_hosts: by key id of a transparency log, the host name that its checkpoints begin with.
    """

    data: bytes
    digest: str
    log_hosts: dict[bytes, str] = field(compare=False, repr=False)

    @classmethod
    def of(cls, data: bytes, digest: str, where: str = "") -> PinnedRoot:
        """Take bytes for a trusted root, if they are the ones with this digest.

        Args:
            data: the bytes.
            digest: lower-case hex SHA-256 that they must have.
            where: the file they are from, for errors.

        Raises:
            KeylessError: they are other bytes, or are no trusted root with a transparency log.
        """
        found = sha256(data).hexdigest()
        if found != digest:
            raise KeylessError(
                f"the trusted root has SHA-256 {found}, not the pinned {digest}",
                where=where,
                hint="a new root is pinned by whoever is responsible, after a look at it",
            )
        try:
            logs = msgspec.convert(check_json(data), _Root).tlogs
            hosts = {
                b64decode(log.log_id.key_id, validate=True): urlsplit(log.base_url).hostname or ""
                for log in logs
            }
        except (ValueError, msgspec.ValidationError) as error:
            raise KeylessError(f"no trusted root of Sigstore: {error}", where=where) from None
        if not hosts or not all(hosts.values()):
            raise KeylessError("the trusted root names no transparency log", where=where)
        return cls(data, digest, hosts)

    @classmethod
    def read(cls, path: Path, digest: str) -> PinnedRoot:
        """Read a trusted root from a file, if it has this digest.

        Raises:
            KeylessError: as :meth:`of`, or the file cannot be read.
        """
        return cls.of(read_bounded(path, "the trusted root"), digest, str(path))

    def trusted(self) -> TrustedRoot:
        """Return sigstore's view of exactly these bytes.

        Raises:
            KeylessError: sigstore refuses them.
            NotInstalledError: sigstore is not installed.
        """
        require_sigstore()
        from sigstore.models import ClientTrustConfig

        # By way of a client configuration, since sigstore's only other door reads a file again.
        config = {
            "mediaType": _CONFIG_TYPE,
            "trustedRoot": json.loads(self.data),
            "signingConfig": {"mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json"},
        }
        with refusing("sigstore refuses the trusted root"):
            return ClientTrustConfig.from_json(json.dumps(config)).trusted_root


def parse_pinned_file(text: str) -> tuple[Path, str]:
    """Split `FILE@sha256:HEX` (or `FILE@HEX`) into a path and a digest.

    Raises:
        KeylessError: it has no digest of 64 lower-case hexadecimal digits.
    """
    match = _PINNED_FILE.fullmatch(text)
    if match is None:
        raise KeylessError(
            "a trusted root is given with the SHA-256 it must have",
            where=text,
            hint="FILE@sha256:HEX, with the 64 digits that `sha256sum FILE` prints",
        )
    return Path(match["path"]), match["digest"]


def read_bounded(
    path: Path, what: str, size_max: int = ROOT_SIZE_MAX, *, from_pipe: bool = False
) -> bytes:
    """Read a small file whole.

    Args:
        path: the file.
        what: it is, for messages.
        size_max: bytes that it may have.
        from_pipe: whether it may be a pipe, which is waited for: a secret often comes by one.

    Raises:
        KeylessError: it is not there, cannot be read, or is longer than `size_max` bytes.
    """
    try:
        if from_pipe:
            with path.open("rb") as file:
                data = file.read(size_max + 1)
        else:
            data = read_regular(path, size_max + 1)
    except OSError as error:
        message = f"{what} cannot be read: {error.strerror}"
        raise KeylessError(message, where=str(path), hint="name a file that is there") from None
    if len(data) > size_max:
        raise KeylessError(f"{what} is longer than {size_max} bytes", where=str(path))
    return data
