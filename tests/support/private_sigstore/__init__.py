"""A private Sigstore on the loopback interface: everything real but who runs it.

An identity provider, a certificate authority with embedded timestamps of its certificate log, a
transparency log of Rekor v2's form, a time stamping authority, and the configuration that sends an
unpatched client to them. No key of it outlives the test.
"""

import datetime as dt
import json

from tests.support.private_sigstore.certificates import CertificateAuthority
from tests.support.private_sigstore.identities import IdentityProvider
from tests.support.private_sigstore.logs import TransparencyLog
from tests.support.private_sigstore.service import serve
from tests.support.private_sigstore.trust import client_trust_config, trusted_root
from tests.support.time_stamping import TimeStampAuthority, whole_second

__all__ = ["PrivateSigstore"]


class PrivateSigstore:
    """A Sigstore of one's own. Use it as a context: its server stops at the end.

    `ahead` moves the clocks of its services, each by name: `certificates` and `time_stamping`.
    """

    def __init__(self):
        self.ahead = {"certificates": dt.timedelta(), "time_stamping": dt.timedelta()}
        self.identities = IdentityProvider("https://identities.ritornello.test")
        self.certificates = CertificateAuthority(
            self.identities, lambda: whole_second() + self.ahead["certificates"]
        )
        self.log = TransparencyLog("log.ritornello.test")
        self.time_stamping = TimeStampAuthority(
            lambda: whole_second() + self.ahead["time_stamping"]
        )
        self.url = ""
        self._stop = None

    def __enter__(self):
        self.url, self._stop = serve(
            {
                "/api/v2/signingCert": self._certificate,
                "/api/v2/log/entries": self._entry,
                "/api/v1/timestamp": self._time_stamp,
            }
        )
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """End the services; what they signed stays verifiable."""
        if self._stop is not None:
            self._stop()
            self._stop = None

    def token(self, subject="robot@ritornello.test", **changed):
        """An identity token for a subject."""
        return self.identities.token(subject, **changed)

    def config(self):
        """The client trust configuration, as bytes."""
        return json.dumps(client_trust_config(self)).encode()

    def root(self):
        """The trusted root alone, as bytes."""
        return json.dumps(trusted_root(self), sort_keys=True).encode()

    def _certificate(self, headers, body):
        scheme, _, token = headers.get("Authorization", "").partition(" ")
        assert scheme == "Bearer"
        return "application/json", json.dumps(self.certificates.issue(token, json.loads(body)))

    def _entry(self, headers, body):
        return "application/json", json.dumps(self.log.add(json.loads(body)))

    def _time_stamp(self, headers, body):
        return "application/timestamp-reply", self.time_stamping.answer(body)
