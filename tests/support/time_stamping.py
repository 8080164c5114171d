"""A time stamping authority (RFC 3161): its root, its certificate, and its answers, all real.

Certificates are P-256; the answers are made with asn1crypto, so that what checks them (Rust's
rfc3161-client) is another implementation. `clock` is a field: a test sets the time it stamps.
"""

import datetime as dt
import hashlib
import secrets
from collections.abc import Callable

from asn1crypto import cms, core, tsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Clock = Callable[[], dt.datetime]


def whole_second():
    """The time now, as certificates and time stamps spell it."""
    return dt.datetime.now(dt.UTC).replace(microsecond=0)


def certificate_name(common_name):
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "ritornello tests"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def key_usage(**on):
    """A key usage extension in which only the named bits are set."""
    bits = (
        "digital_signature content_commitment key_encipherment data_encipherment key_agreement "
        "key_cert_sign crl_sign encipher_only decipher_only"
    )
    return x509.KeyUsage(**(dict.fromkeys(bits.split(), False) | on))


def certificate_authority(common_name):
    """A root: its key and its certificate, valid from yesterday for a year."""
    key = ec.generate_private_key(ec.SECP256R1())
    name, today = certificate_name(common_name), whole_second()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - dt.timedelta(days=1))
        .not_valid_after(today + dt.timedelta(days=365))
        .add_extension(x509.BasicConstraints(True, 1), critical=True)
        .add_extension(key_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return key, certificate


def der(certificate):
    return certificate.public_bytes(serialization.Encoding.DER)


class TimeStampAuthority:
    """Answers time stamp requests with tokens of its own, under a root of its own."""

    def __init__(self, clock: Clock = whole_second):
        self.clock = clock
        self.root_key, self.root = certificate_authority("time stamping root")
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(certificate_name("time stamping"))
            .issuer_name(self.root.subject)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self.root.not_valid_before_utc)
            .not_valid_after(self.root.not_valid_after_utc)
            .add_extension(x509.BasicConstraints(False, None), critical=True)
            .add_extension(key_usage(digital_signature=True), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True
            )
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.root_key.public_key()),
                critical=False,
            )
            .sign(self.root_key, hashes.SHA256())
        )

    @property
    def chain(self):
        """The certificates of a trusted root, signer first."""
        return (self.certificate, self.root)

    def answer(self, request: bytes) -> bytes:
        """Grant a request: the DER of a response with a token at the clock's time."""
        asked = tsp.TimeStampReq.load(request)
        info = {
            "version": "v1",
            "policy": "1.3.6.1.4.1.57264.2",
            "message_imprint": asked["message_imprint"],
            "serial_number": secrets.randbits(63),
            "gen_time": self.clock(),
        }
        if asked["nonce"].native is not None:
            info["nonce"] = asked["nonce"].native
        token = cms.ContentInfo(
            {"content_type": "signed_data", "content": self._signed(tsp.TSTInfo(info).dump())}
        )
        response = {"status": {"status": "granted"}, "time_stamp_token": token}
        return tsp.TimeStampResp(response).dump()

    def stamp(self, message: bytes) -> bytes:
        """Ask oneself: a response over a message, without a nonce."""
        imprint = {
            "hash_algorithm": {"algorithm": "sha256"},
            "hashed_message": hashlib.sha256(message).digest(),
        }
        asked = {"version": "v1", "message_imprint": imprint, "cert_req": True}
        return self.answer(tsp.TimeStampReq(asked).dump())

    def _signed(self, content: bytes):
        own = asn1_x509.Certificate.load(der(self.certificate))
        named = {
            "hash_algorithm": {"algorithm": "sha256"},
            "cert_hash": hashlib.sha256(own.dump()).digest(),
        }
        certificates = tsp.SigningCertificateV2({"certs": [tsp.ESSCertIDv2(named)]})
        attributes = cms.CMSAttributes(
            [
                cms.CMSAttribute({"type": "content_type", "values": ["tst_info"]}),
                cms.CMSAttribute(
                    {"type": "message_digest", "values": [hashlib.sha256(content).digest()]}
                ),
                cms.CMSAttribute({"type": "signing_certificate_v2", "values": [certificates]}),
            ]
        )
        signer = cms.SignerInfo(
            {
                "version": "v1",
                "sid": cms.SignerIdentifier(
                    "issuer_and_serial_number",
                    {"issuer": own.issuer, "serial_number": own.serial_number},
                ),
                "digest_algorithm": {"algorithm": "sha256"},
                "signed_attrs": attributes,
                "signature_algorithm": {"algorithm": "sha256_ecdsa"},
                "signature": self.key.sign(attributes.dump(), ec.ECDSA(hashes.SHA256())),
            }
        )
        return cms.SignedData(
            {
                "version": "v3",
                "digest_algorithms": [{"algorithm": "sha256"}],
                "encap_content_info": {
                    "content_type": "tst_info",
                    "content": core.ParsableOctetString(content),
                },
                "certificates": [cms.CertificateChoices("certificate", own)],
                "signer_infos": [signer],
            }
        )
