"""The certificate authority (Fulcio): ten minutes for whoever the identity provider named.

Each certificate carries the timestamp that the certificate log signed over its precertificate
(RFC 6962 section 3.3), as clients demand.
"""

import base64
import datetime as dt
import hashlib
import struct

from asn1crypto import core
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.support.time_stamping import certificate_authority, key_usage

TIMESTAMPS = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
CLAIM = "1.3.6.1.4.1.57264.1."


def spki(public_key):
    return public_key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


class CertificateAuthority:
    """Issues signing certificates. `claims` are put into the next ones, by number."""

    def __init__(self, identities, clock):
        self.identities, self.clock = identities, clock
        self.key, self.root = certificate_authority("certificate root")
        self.log_key = ec.generate_private_key(ec.SECP256R1())
        self.claims = {}
        self.lifetime = dt.timedelta(minutes=10)

    @property
    def log_id(self):
        return hashlib.sha256(spki(self.log_key.public_key())).digest()

    def issue(self, token, asked):
        """Answer a signing request of Fulcio's REST form."""
        subject = self.identities.subject(token)
        request = x509.load_pem_x509_csr(base64.b64decode(asked["certificateSigningRequest"]))
        if not request.is_signature_valid:
            raise ValueError("no proof of possession of the key")
        now = self.clock()
        unlogged = self._unlogged(request.public_key(), subject, now)
        timestamps = self._timestamps(unlogged.sign(self.key, hashes.SHA256()), now)
        certificate = unlogged.add_extension(
            x509.UnrecognizedExtension(TIMESTAMPS, core.OctetString(timestamps).dump()),
            critical=False,
        ).sign(self.key, hashes.SHA256())
        chain = [
            each.public_bytes(serialization.Encoding.PEM).decode()
            for each in (certificate, self.root)
        ]
        return {"signedCertificateEmbeddedSct": {"chain": {"certificates": chain}}}

    def _unlogged(self, public_key, subject, now):
        issuer = self.identities.issuer
        name = x509.UniformResourceIdentifier if "://" in subject else x509.RFC822Name
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(self.root.subject)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(seconds=1))
            .not_valid_after(now + self.lifetime)
            .add_extension(key_usage(digital_signature=True), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False
            )
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()),
                critical=False,
            )
            .add_extension(x509.SubjectAlternativeName([name(subject)]), critical=True)
            .add_extension(_claim(1, issuer.encode()), critical=False)
        )
        for number, text in {8: issuer, **self.claims}.items():
            builder = builder.add_extension(
                _claim(number, core.UTF8String(text).dump()), critical=False
            )
        return builder

    def _timestamps(self, precertificate, now):
        """The list with the one timestamp that the certificate log gives."""
        inner, at_ms = precertificate.tbs_certificate_bytes, int(now.timestamp() * 1000)
        issuer = hashlib.sha256(spki(self.key.public_key())).digest()
        signed = struct.pack("!BBQH", 0, 0, at_ms, 1) + issuer
        signed += len(inner).to_bytes(3, "big") + inner + struct.pack("!H", 0)
        signature = self.log_key.sign(signed, ec.ECDSA(hashes.SHA256()))
        one = b"\0" + self.log_id + struct.pack("!QH", at_ms, 0)
        one += bytes([4, 3]) + struct.pack("!H", len(signature)) + signature
        listed = struct.pack("!H", len(one)) + one
        return struct.pack("!H", len(listed)) + listed


def _claim(number, value):
    return x509.UnrecognizedExtension(x509.ObjectIdentifier(f"{CLAIM}{number}"), value)
