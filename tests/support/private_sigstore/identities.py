"""The identity provider: tokens that say who somebody is, signed with ES256."""

import secrets
import time

import jwt
from cryptography.hazmat.primitives.asymmetric import ec


class IdentityProvider:
    def __init__(self, issuer):
        self.issuer = issuer
        self.key = ec.generate_private_key(ec.SECP256R1())

    def token(self, subject, *, lifetime_s=600, audience="sigstore", key=None):
        """A token; one signed with another key is a forgery."""
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": audience,
            "sub": subject,
            "iat": now - 60,
            "exp": now + lifetime_s,
            "nonce": secrets.token_hex(8),
        }
        return jwt.encode(claims, key or self.key, algorithm="ES256")

    def subject(self, token):
        """Who a token is about, once its signature was checked."""
        claims = jwt.decode(
            token,
            self.key.public_key(),
            algorithms=["ES256"],
            audience="sigstore",
            issuer=self.issuer,
        )
        return claims["sub"]
