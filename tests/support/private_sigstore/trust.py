"""What a client is told: whom to believe (the trusted root), and whom to ask (the configuration).

A log's base URL is `https://` and its origin, as the public logs have it and sigstore-js demands.
"""

from tests.support.private_sigstore.certificates import spki
from tests.support.private_sigstore.logs import b64
from tests.support.time_stamping import der

START = "2020-01-01T00:00:00Z"


def trusted_root(sigstore):
    certificates, log, stamping = sigstore.certificates, sigstore.log, sigstore.time_stamping
    return {
        "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
        "tlogs": [
            _log(f"https://{log.origin}", log.key_id, log.key.public_key(), "PKIX_ED25519"),
        ],
        "certificateAuthorities": [_authority([certificates.root])],
        "ctlogs": [
            _log(
                "https://certificates.ritornello.test",
                certificates.log_id,
                certificates.log_key.public_key(),
                "PKIX_ECDSA_P256_SHA_256",
            ),
        ],
        "timestampAuthorities": [_authority(stamping.chain)],
    }


def client_trust_config(sigstore):
    url = sigstore.url
    return {
        "mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
        "trustedRoot": trusted_root(sigstore),
        "signingConfig": {
            "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
            "caUrls": _service(url, 1),
            "oidcUrls": _service(sigstore.identities.issuer, 1),
            "rekorTlogUrls": _service(url, 2),
            "rekorTlogConfig": {"selector": "ANY"},
            "tsaUrls": _service(f"{url}/api/v1/timestamp", 1),
            "tsaConfig": {"selector": "ANY"},
        },
    }


def _log(base_url, key_id, public_key, details):
    key = {"rawBytes": b64(spki(public_key)), "keyDetails": details, "validFor": {"start": START}}
    return {
        "baseUrl": base_url,
        "hashAlgorithm": "SHA2_256",
        "logId": {"keyId": b64(key_id)},
        "publicKey": key,
    }


def _authority(chain):
    return {
        "subject": {"organization": "ritornello tests", "commonName": "authority"},
        "uri": "https://authority.ritornello.test",
        "certChain": {"certificates": [{"rawBytes": b64(der(each))} for each in chain]},
        "validFor": {"start": START},
    }


def _service(url, version):
    return [
        {
            "url": url,
            "majorApiVersion": version,
            "validFor": {"start": START},
            "operator": "ritornello tests",
        }
    ]
