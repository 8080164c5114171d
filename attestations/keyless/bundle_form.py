"""A Sigstore bundle read strictly, before sigstore sees it: one reading, bounded, with its proofs.

The one invariant: what sigstore verifies and what is reported are the same bytes. sigstore keeps
the last of two fields with one name, skips junk inside base64, and does not compare the proof's
tree size with the checkpoint's nor the checkpoint's name with the log's; all of that is refused
here. Nothing in this module is a verification of a signature.

Narrower than Sigstore on purpose: bundles of version 0.3 that hold one DSSE envelope of one
in-toto statement with one signature by one certificate, one log entry with an inclusion proof, and
a time that somebody signed.

Source: https://github.com/sigstore/protobuf-specs (Bundle), https://c2sp.org/tlog-checkpoint.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final

import msgspec

from attestations.errors import EnvelopeError, KeylessError
from attestations.keyless.facts import TimeSource
from attestations.statements.envelope import read_envelope
from attestations.statements.strict_json import check_json

__all__ = ["BUNDLE_SIZE_MAX", "BundleForm", "TimedDocument", "read_bundle_form"]

BUNDLE_SIZE_MAX: Final = 1 << 20
"""Longest bundle in bytes."""

TIMES_MAX: Final = 4
"""Most time stamps in a bundle."""

_MEDIA_TYPES: Final = (
    "application/vnd.dev.sigstore.bundle.v0.3+json",
    "application/vnd.dev.sigstore.bundle+json;version=0.3",
)

#: A number as JSON of protocol buffers spells it: a string, in its shortest form, below 2**63.
_Number = Annotated[str, msgspec.Meta(pattern=r"\A(0|[1-9][0-9]{0,17})\Z")]


class _Struct(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename="camel",
    forbid_unknown_fields=True,
    omit_defaults=True,
):
    """Base of the shapes below."""


class _Bytes(_Struct, frozen=True, kw_only=True):
    raw_bytes: str


class _LogId(_Struct, frozen=True, kw_only=True):
    key_id: str


class _Kind(_Struct, frozen=True, kw_only=True):
    kind: str
    version: str


class _Promise(_Struct, frozen=True, kw_only=True):
    signed_entry_timestamp: str


class _Checkpoint(_Struct, frozen=True, kw_only=True):
    envelope: Annotated[str, msgspec.Meta(max_length=8192)]


class _Proof(_Struct, frozen=True, kw_only=True, omit_defaults=False):
    checkpoint: _Checkpoint | None = None
    hashes: Annotated[tuple[str, ...], msgspec.Meta(max_length=64)] = ()
    log_index: _Number
    root_hash: str
    tree_size: _Number


class _Entry(_Struct, frozen=True, kw_only=True):
    canonicalized_body: str
    inclusion_promise: _Promise | None = None
    inclusion_proof: _Proof | None = None
    integrated_time: _Number | None = None
    kind_version: _Kind
    log_id: _LogId
    log_index: _Number


class _TimeStamp(_Struct, frozen=True, kw_only=True):
    signed_timestamp: str


class _TimeStamps(_Struct, frozen=True, kw_only=True):
    rfc3161_timestamps: tuple[_TimeStamp, ...] = ()


class _Material(_Struct, frozen=True, kw_only=True):
    certificate: _Bytes | None = None
    timestamp_verification_data: _TimeStamps | None = None
    tlog_entries: tuple[_Entry, ...] = ()


class _Wire(_Struct, frozen=True, kw_only=True):
    dsse_envelope: dict[str, object]
    media_type: str
    verification_material: _Material


@dataclass(frozen=True, slots=True)
class TimedDocument:
    """The bundle with one of its times and no other, so that a time counts only if it holds alone.

    sigstore asks for one time that holds and passes over others that do not.

    Attributes:
        source: who signed the time.
        document: the bundle's JSON with this time only.
        log_time_us: what the log says, in microseconds since the Unix epoch; None for a time stamp,
            whose time is read out of what was verified.
    """

    source: TimeSource
    document: bytes
    log_time_us: int | None


@dataclass(frozen=True, slots=True)
class BundleForm:
    """A bundle that is in the strict form; no signature in it is verified.

    Attributes:
        payload: the statement's exact bytes.
        log_origin: the first line of the log's checkpoint.
        log_index: the entry's place in the tree.
        log_root: root of the tree.
        timed: one for each time in the bundle, at least one.
    """

    payload: bytes
    log_origin: str
    log_index: int
    log_root: bytes
    timed: tuple[TimedDocument, ...]


def read_bundle_form(data: bytes, log_hosts: Mapping[bytes, str]) -> BundleForm:
    """Read a bundle in the strict form.

    Args:
        data: its bytes, hostile.
        log_hosts: by key id, the host names of the logs that are trusted.

    Raises:
        KeylessError: it is not in that form, has no proof or no time, or is of another log.
    """
    if len(data) > BUNDLE_SIZE_MAX:
        raise KeylessError(f"the bundle is longer than {BUNDLE_SIZE_MAX} bytes")
    try:
        found = check_json(data)
        _refuse_other_contents(found)
        wire = msgspec.convert(found, _Wire)
        envelope = read_envelope(msgspec.json.encode(wire.dsse_envelope))
    except (ValueError, msgspec.ValidationError) as error:
        raise KeylessError(f"no Sigstore bundle in the strict form: {error}") from None
    except EnvelopeError as error:
        raise KeylessError(f"the bundle's envelope is refused: {error.message}") from None
    if len(envelope.signatures) != 1:
        raise KeylessError("the bundle's envelope has more than one signature")
    material = wire.verification_material
    if material.certificate is None:
        raise KeylessError("the bundle has no signing certificate")
    _canonical(material.certificate.raw_bytes, "the certificate")
    if len(material.tlog_entries) != 1:
        raise KeylessError(f"the bundle has {len(material.tlog_entries)} log entries, not one")
    entry = material.tlog_entries[0]
    _canonical(entry.canonicalized_body, "the log entry's body")
    origin, root = _check_proof(entry, log_hosts)
    assert entry.inclusion_proof is not None
    return BundleForm(
        payload=envelope.payload,
        log_origin=origin,
        log_index=int(entry.inclusion_proof.log_index),
        log_root=root,
        timed=_timed(wire),
    )


def _refuse_other_contents(found: dict[str, object]) -> None:
    """Say what a bundle is that is none of ours, rather than which field is unexpected."""
    if found.get("mediaType") not in _MEDIA_TYPES:
        raise ValueError(f"its media type is {str(found.get('mediaType'))[:100]!r}")
    if "dsseEnvelope" not in found:
        without = "it signs bytes without a statement"
        raise ValueError(without if "messageSignature" in found else "it holds no envelope")


def _check_proof(entry: _Entry, log_hosts: Mapping[bytes, str]) -> tuple[str, bytes]:
    """Return name and root of the log, once proof and checkpoint speak of one tree of that log."""
    proof = entry.inclusion_proof
    if proof is None or proof.checkpoint is None:
        raise KeylessError("the bundle's log entry has no inclusion proof with a checkpoint")
    for each in proof.hashes:
        if len(_canonical(each, "a hash of the inclusion proof")) != 32:
            raise KeylessError("a hash of the inclusion proof is not of 32 bytes")
    root = _canonical(proof.root_hash, "the inclusion proof's root")
    lines = proof.checkpoint.envelope.split("\n")
    if len(lines) < 3 or lines[1] != proof.tree_size or lines[2] != proof.root_hash:
        raise KeylessError(
            f"the inclusion proof is for a tree of {proof.tree_size}, its checkpoint for another"
        )
    key_id = _canonical(entry.log_id.key_id, "the log's key id")
    host = log_hosts.get(key_id)
    if host is None:
        raise KeylessError("the bundle's log is none of the trusted root's")
    if lines[0] != host and not lines[0].startswith(f"{host} - "):
        raise KeylessError(f"the checkpoint is of {lines[0][:100]!r}, the trusted log is {host}")
    if not any(_is_signature_of(line, host, key_id) for line in lines):
        raise KeylessError(f"the checkpoint has no signature line of {host}")
    return lines[0], root


def _is_signature_of(line: str, host: str, key_id: bytes) -> bool:
    """Whether a line of a checkpoint is a signature by this name and the hint of this key."""
    mark, _, encoded = line.rpartition(" ")
    try:
        return mark == f"\u2014 {host}" and b64decode(encoded, validate=True)[:4] == key_id[:4]
    except ValueError:
        return False


def _timed(wire: _Wire) -> tuple[TimedDocument, ...]:
    """Return the bundle once for each of its times."""
    stamps = wire.verification_material.timestamp_verification_data or _TimeStamps()
    tokens = [each.signed_timestamp for each in stamps.rfc3161_timestamps]
    if len(tokens) > TIMES_MAX or len(set(tokens)) != len(tokens):
        raise KeylessError(f"the bundle has more than {TIMES_MAX} time stamps, or one twice")
    timed = []
    for stamp in stamps.rfc3161_timestamps:
        _canonical(stamp.signed_timestamp, "a time stamp")
        only = _with_times(wire, _TimeStamps(rfc3161_timestamps=(stamp,)), None)
        timed.append(TimedDocument("time-stamp", only, None))
    entry = wire.verification_material.tlog_entries[0]
    log_time = int(entry.integrated_time or "0")
    if entry.inclusion_promise is not None and log_time:
        _canonical(entry.inclusion_promise.signed_entry_timestamp, "the log's promise")
        only = _with_times(wire, None, entry.inclusion_promise)
        timed.append(TimedDocument("log", only, log_time * 1_000_000))
    if not timed:
        raise KeylessError(
            "the bundle has no time that somebody else signed",
            hint="sign with a time stamping authority in the trust configuration",
        )
    return tuple(timed)


def _with_times(wire: _Wire, stamps: _TimeStamps | None, promise: _Promise | None) -> bytes:
    """Write what was read again, with these times and no others."""
    replace = msgspec.structs.replace
    material = wire.verification_material
    entry = replace(material.tlog_entries[0], inclusion_promise=promise)
    material = replace(material, timestamp_verification_data=stamps, tlog_entries=(entry,))
    return msgspec.json.encode(replace(wire, verification_material=material))


def _canonical(text: str, what: str) -> bytes:
    """Decode base64 and refuse every spelling but the one that encoding gives."""
    try:
        data = b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise KeylessError(f"{what} is not base64") from None
    if not data or b64encode(data) != text.encode():
        raise KeylessError(f"{what} is empty or not canonical base64")
    return data
