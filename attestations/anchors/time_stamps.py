"""RFC 3161 time stamps over the head of a log: asked for once, verified offline ever after.

The one invariant: a time counts only if a certificate chain that leads to a root which the verifier
named signed it over the SHA-256 of exactly this checkpoint's body. The time is the authority's
word; it says that the head existed then, not who made it.

Source: RFC 3161; verification by ``rfc3161-client`` (the extra ``sigstore``), imported when used.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Final, TypeAlias

from attestations.errors import (
    KeyFileError,
    KeyFormError,
    TimeStampError,
    TimeStampServiceError,
)
from attestations.whole_files import read_regular

if TYPE_CHECKING:
    from cryptography.x509 import Certificate
    from rfc3161_client import TimeStampResponse

__all__ = ["TimeStamp", "TimeStampRoots", "read_roots", "request_time_stamp", "verify_time_stamp"]

TimeStampRoots: TypeAlias = "tuple[Certificate, ...]"
"""The certificates that a verifier trusts for time."""

REPLY_SIZE_MAX: Final = 64 * 1024
_ROOTS_SIZE_MAX: Final = 256 * 1024
_SHA256: Final = "2.16.840.1.101.3.4.2.1"
_TIMEOUT_S: Final = 30.0
_QUERY: Final = "application/timestamp-query"
_HOLDS: Final = "a PEM file of the authority's root, and of intermediates if it needs them"


@dataclass(frozen=True, slots=True)
class TimeStamp:
    """A time that an authority signed.

    Args:
        time: when the digest was there, in UTC, by the authority's clock.
        serial: the authority's number for the token.
        policy: the object identifier of the policy that it followed.
    """

    time: datetime
    serial: int
    policy: str


def request_time_stamp(url: str, body: bytes) -> bytes:
    """Ask an authority for a time stamp over a checkpoint's body.

    The authority learns a SHA-256 and nothing else. The reply is checked against what was asked;
    whether its certificate is to be trusted, `verify_time_stamp` says.

    Returns:
        The reply, as it came.

    Raises:
        TimeStampServiceError: no reply, or one that grants nothing or not what was asked.
        TimeStampError: ``rfc3161-client`` is not installed.
    """
    import urllib.error
    import urllib.request

    client = _client()
    if not url.startswith(("http://", "https://")):
        raise TimeStampServiceError(
            "the address of a time stamping service begins with http", where=url
        )
    asked = (
        client.TimestampRequestBuilder()
        .data(body)
        .hash_algorithm(client.HashAlgorithm.SHA256)
        .nonce(nonce=True)
        .cert_request(cert_request=True)
        .build()
    )
    query = urllib.request.Request(  # noqa: S310 - the scheme was looked at above
        url, data=asked.as_bytes(), headers={"Content-Type": _QUERY}, method="POST"
    )
    try:
        with urllib.request.urlopen(query, timeout=_TIMEOUT_S) as answer:  # noqa: S310
            reply: bytes = answer.read(REPLY_SIZE_MAX + 1)
    except (OSError, ValueError) as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()  # it holds the connection
        reason = getattr(error, "reason", None) or error
        raise TimeStampServiceError(
            f"the time stamping service did not answer: {str(reason)[:200]}",
            where=url,
            hint="try again, or another service",
        ) from None
    try:
        response = _parsed(reply)
        info = response.tst_info
        granted = response.status == 0 and _is_over(response, body) and info.nonce == asked.nonce
    except TimeStampError as error:
        raise TimeStampServiceError(error.message, where=url) from None
    except Exception as error:  # noqa: BLE001 - a refusal has no token, and each part of it may raise
        raise TimeStampServiceError(
            f"the reply holds no time stamp: {str(error)[:200]}", where=url
        ) from None
    if not granted:
        raise TimeStampServiceError("the reply does not grant what was asked", where=url)
    return reply


def verify_time_stamp(reply: bytes, body: bytes, roots: TimeStampRoots) -> TimeStamp:
    """Verify a time stamp over a checkpoint's body, offline.

    Args:
        reply: an RFC 3161 response, DER.
        body: the three lines of the checkpoint.
        roots: the certificates that the verifier trusts for time.

    Raises:
        TimeStampError: it is malformed, over other bytes, or leads to none of the roots; or
            ``rfc3161-client`` is not installed.
    """
    client = _client()
    response = _parsed(reply)
    builder = client.VerifierBuilder()
    for root in roots:
        own = root.issuer == root.subject
        builder = (
            builder.add_root_certificate(root)
            if own
            else builder.add_intermediate_certificate(root)
        )
    try:
        over = _is_over(response, body)
        if over:
            builder.build().verify_message(response, body)
        info = response.tst_info
        found = TimeStamp(
            time=info.gen_time.astimezone(UTC),
            serial=info.serial_number,
            policy=info.policy.dotted_string,
        )
    except BaseException as error:
        # What the parser leaves to be found here is hostile input too: it raises errors of many
        # classes, and where Rust panics, one that is no Exception.
        if not _is_theirs(error):
            raise
        raise TimeStampError(f"it does not verify: {str(error)[:200]}") from None
    if not over:
        raise TimeStampError("it is over other bytes than this checkpoint")
    return found


def read_roots(path: Path) -> TimeStampRoots:
    """Read the certificates that are trusted for time.

    Args:
        path: PEM; at least one certificate that is its own issuer, and intermediates if needed.

    Raises:
        KeyFormError: there is no such certificate in it.
        KeyFileError: it cannot be read.
    """
    from cryptography.x509 import load_pem_x509_certificates

    try:
        data = read_regular(path, _ROOTS_SIZE_MAX + 1)
    except OSError as error:
        what = f"the certificates cannot be read: {error.strerror}"
        raise KeyFileError(what, where=str(path), hint=_HOLDS) from error
    try:
        found = load_pem_x509_certificates(data) if len(data) <= _ROOTS_SIZE_MAX else []
    except ValueError:
        found = []
    if not any(each.issuer == each.subject for each in found):
        raise KeyFormError(
            "there is no root certificate in it",
            where=str(path),
            hint=_HOLDS,
        )
    return tuple(dict.fromkeys(found))


def _client() -> ModuleType:
    try:
        import rfc3161_client
    except ImportError:
        raise TimeStampError(
            "time stamps need rfc3161-client, which is not installed",
            hint="pip install 'ritornello[sigstore]'",
        ) from None
    return rfc3161_client


def _parsed(reply: bytes) -> TimeStampResponse:
    if len(reply) > REPLY_SIZE_MAX:
        raise TimeStampError(f"a time stamp is longer than {REPLY_SIZE_MAX} bytes")
    try:
        response: TimeStampResponse = _client().decode_timestamp_response(reply)
    except TimeStampError:
        raise
    except BaseException as error:
        if not _is_theirs(error):
            raise
        raise TimeStampError("it is not a time stamp response") from None
    return response


def _is_over(response: TimeStampResponse, body: bytes) -> bool:
    """Whether the response speaks of the SHA-256 of these bytes, and of no weaker digest."""
    imprint = response.tst_info.message_imprint
    return (
        imprint.hash_algorithm.dotted_string == _SHA256 and imprint.message == sha256(body).digest()
    )


def _is_theirs(error: BaseException) -> bool:
    return isinstance(error, Exception) or type(error).__name__ == "PanicException"
