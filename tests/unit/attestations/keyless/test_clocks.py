"""A certificate lives ten minutes; a signature holds if somebody saw it within them."""

import base64
import datetime as dt
import json

import pytest

from attestations.errors import KeylessError, KeylessServiceError
from attestations.keyless import identify
from attestations.keyless.signing import SigstoreServices, sign
from tests.support.private_sigstore import PrivateSigstore
from tests.support.private_sigstore.signed import pinned, statement


@pytest.mark.parametrize("minutes", [-3, 11, 60 * 24])
def test_a_time_outside_the_certificates_ten_minutes_is_refused(minutes):
    with PrivateSigstore() as sigstore:
        services = SigstoreServices.private(sigstore.config())
        sigstore.ahead["time_stamping"] = dt.timedelta(minutes=minutes)

        with pytest.raises(KeylessServiceError, match="what Sigstore gave does not verify"):
            sign(statement(), sigstore.token(), services)


def test_a_good_signature_with_a_late_time_stamp_is_refused_by_readers(signed):
    document = json.loads(signed.bundle)
    signature = base64.b64decode(document["dsseEnvelope"]["signatures"][0]["sig"])
    authority = signed.sigstore.time_stamping
    authority.clock, clock = (lambda: clock() + dt.timedelta(minutes=11)), authority.clock
    late = {"signedTimestamp": base64.b64encode(authority.stamp(signature)).decode()}
    authority.clock = clock
    document["verificationMaterial"]["timestampVerificationData"] = {"rfc3161Timestamps": [late]}

    with pytest.raises(KeylessError, match="the bundle does not hold"):
        identify(json.dumps(document).encode(), signed.root)


def test_a_root_whose_time_authority_had_ended_is_refused(signed):
    root = json.loads(signed.root.data)
    root["timestampAuthorities"][0]["validFor"]["end"] = "2024-01-01T00:00:00Z"

    with pytest.raises(KeylessError, match="not enough sources of verified time"):
        identify(signed.bundle, pinned(json.dumps(root).encode()))
