"""Time stamps count over these bytes and under these roots, and hostile ones only fail."""

import datetime as dt

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from attestations.anchors import read_roots, request_time_stamp, verify_time_stamp
from attestations.errors import KeyFormError, TimeStampError, TimeStampServiceError
from tests.support.time_stamp_service import TimeStampService
from tests.support.time_stamping import TimeStampAuthority

BODY = b"ritornello/run/A\n9\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
WHEN = dt.datetime.now(dt.UTC).replace(microsecond=0)
AUTHORITY = TimeStampAuthority(lambda: WHEN)


@pytest.fixture(scope="module")
def reply():
    with TimeStampService(lambda asked: (200, AUTHORITY.answer(asked))) as service:
        return request_time_stamp(service.url, BODY)


def test_a_reply_verifies_offline_under_its_root(reply):
    found = verify_time_stamp(reply, BODY, (AUTHORITY.root,))

    assert (found.time, found.policy) == (WHEN, "1.3.6.1.4.1.57264.2")


def test_a_reply_over_another_checkpoint_is_refused(reply):
    with pytest.raises(TimeStampError, match="over other bytes"):
        verify_time_stamp(reply, BODY.replace(b"9", b"8"), (AUTHORITY.root,))


def test_a_reply_under_another_root_is_refused(reply):
    with pytest.raises(TimeStampError, match="does not verify"):
        verify_time_stamp(reply, BODY, (TimeStampAuthority().root,))


def test_without_roots_nothing_verifies(reply):
    with pytest.raises(TimeStampError, match="root"):
        verify_time_stamp(reply, BODY, ())


def test_a_time_outside_of_the_certificate_is_refused():
    early = TimeStampAuthority(lambda: WHEN - dt.timedelta(days=700))
    with TimeStampService(lambda asked: (200, early.answer(asked))) as service:
        reply = request_time_stamp(service.url, BODY)

    with pytest.raises(TimeStampError, match="does not verify"):
        verify_time_stamp(reply, BODY, (early.root,))


@given(at=st.integers(0), bit=st.integers(0, 7), cut=st.integers(0, 40))
def test_no_changed_reply_verifies_to_another_time(reply, at, bit, cut):
    """DER has fields that no signature covers; none of them may change what is concluded."""
    changed = bytearray(reply[: len(reply) - cut] if cut else reply)
    changed[at % len(changed)] ^= 1 << bit

    try:
        found = verify_time_stamp(bytes(changed), BODY, (AUTHORITY.root,))
    except TimeStampError:
        return
    assert found == verify_time_stamp(reply, BODY, (AUTHORITY.root,))


@given(st.binary(max_size=200))
def test_bytes_that_are_no_reply_are_refused(data):
    with pytest.raises(TimeStampError):
        verify_time_stamp(data, BODY, (AUTHORITY.root,))


def test_a_reply_that_is_too_long_is_not_parsed():
    with pytest.raises(TimeStampError, match="longer"):
        verify_time_stamp(bytes(70_000), BODY, (AUTHORITY.root,))


STALE = []


def stale(asked):
    """Answers each request with the token of the first."""
    STALE.append(AUTHORITY.answer(asked))
    return 200, STALE[0]


@pytest.mark.parametrize(
    "answer",
    [
        lambda asked: (500, b"no"),
        lambda asked: (200, b""),
        lambda asked: (200, b"<html>"),
        lambda asked: (200, bytes(70_000)),
        # PKIStatus rejection, without a token.
        lambda asked: (200, bytes.fromhex("30053003020102")),
    ],
)
def test_a_service_that_grants_nothing_is_named(answer):
    with TimeStampService(answer) as service, pytest.raises(TimeStampServiceError) as caught:
        request_time_stamp(service.url, BODY)

    assert caught.value.where == service.url


def test_the_token_of_an_earlier_request_is_not_taken():
    with TimeStampService(stale) as service:
        request_time_stamp(service.url, BODY)
        with pytest.raises(TimeStampServiceError, match="not grant what was asked"):
            request_time_stamp(service.url, BODY)


@pytest.mark.parametrize("url", ["file:passwd", "ftp://127.0.0.1/", "tsa.example"])
def test_only_http_is_asked(url):
    with pytest.raises(TimeStampServiceError, match="begins with http"):
        request_time_stamp(url, BODY)


def test_roots_are_read_from_pem(tmp_path):
    path = tmp_path / "roots.pem"
    pem = [each.public_bytes(Encoding.PEM) for each in AUTHORITY.chain]

    path.write_bytes(b"".join(pem))

    assert read_roots(path) == AUTHORITY.chain


@pytest.mark.parametrize(
    "data", [b"", b"not PEM", AUTHORITY.certificate.public_bytes(Encoding.PEM)]
)
def test_a_file_without_a_root_is_refused(tmp_path, data):
    path = tmp_path / "roots.pem"
    path.write_bytes(data)

    with pytest.raises(KeyFormError, match="no root certificate"):
        read_roots(path)
