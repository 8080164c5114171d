"""Reads a policy file: TOML, strict, bounded, named by the digest of its exact bytes.

The one invariant: what is returned is a policy that can be decided by, or nothing is. A key that is
not known, a name that is not defined, a rule that nobody can meet are refused when the file is
read, not when it matters. TOML rather than JSON: a policy is written and reviewed by people, it may
hold comments, and its grammar refuses a key that stands twice.
"""

from __future__ import annotations

import binascii
import tomllib
from base64 import b64decode, b64encode
from collections.abc import Iterator
from hashlib import sha256
from typing import Final

import msgspec

from attestations.admission.facts import KeylessSigner, KeySigner, Signer, signer_name
from attestations.admission.policy import Policy, Revocation, Rule, TrustedSigner
from attestations.admission.policy_hints import ELSEWHERE, hint_of
from attestations.errors import PolicyError
from attestations.statements.provenance import PROVENANCE

__all__ = ["POLICY_SIZE_MAX", "check_policy", "public_keys_of", "read_policy", "signer_of"]

#: Bytes of a policy file.
POLICY_SIZE_MAX: Final = 256 << 10
#: Dots in a line: the library's time grows with the square of a key's parts.
_DOTS_MAX: Final = 100


def read_policy(data: bytes, where: str = "") -> Policy:
    """Read the bytes of a policy file.

    Args:
        data: the bytes; their SHA-256 is the policy's digest.
        where: the file's name, for errors.

    Raises:
        PolicyError: they are no policy, or one that contradicts itself.
    """
    if len(data) > POLICY_SIZE_MAX:
        raise PolicyError(f"{len(data)} bytes are over the limit for a policy", where=where)
    if max(line.count(b".") for line in data.split(b"\n")) > _DOTS_MAX:
        raise PolicyError(f"a line holds more than {_DOTS_MAX} dots", where=where)
    try:
        table = tomllib.loads(data.decode("utf-8"))
    except RecursionError:
        raise PolicyError("the file is nested too deeply", where=where, hint=ELSEWHERE) from None
    except ValueError as error:  # TOML's own error is one, as are those of text and numbers
        what = f"the file is no TOML: {error}"
        raise PolicyError(what, where=where, hint=ELSEWHERE) from None
    try:
        policy = msgspec.convert(table, Policy)
    except (msgspec.ValidationError, RecursionError) as error:
        raise PolicyError(
            f"the file is no policy: {error}", where=where, hint=hint_of(error)
        ) from None
    check_policy(policy, where)
    return policy


def check_policy(policy: Policy, where: str = "") -> None:
    """Check what the schema's types cannot say.

    Raises:
        PolicyError: it contradicts itself; names the table.
    """
    for place, what in _contradictions(policy):
        raise PolicyError(what, where=f"{where}: {place}" if where else place)


def signer_of(trusted: TrustedSigner) -> Signer:
    """Return a policy's signer as the value that facts name.

    Raises:
        PolicyError: it is not exactly one of the three forms.
    """
    forms = [trusted.key, trusted.public_key, trusted.issuer or trusted.identity]
    if sum(form is not None for form in forms) != 1:
        raise PolicyError("a signer is one of `key`, `public_key`, or `issuer` and `identity`")
    if trusted.issuer is not None and trusted.identity is not None:
        return KeylessSigner(
            issuer=trusted.issuer, identity=trusted.identity, claims=trusted.claims
        )
    if trusted.claims:
        raise PolicyError("`claims` are those of a certificate, so of `issuer` and `identity`")
    if trusted.key is not None:
        return KeySigner(keyid=trusted.key)
    if trusted.public_key is None:
        raise PolicyError("`issuer` and `identity` go together")
    return KeySigner(keyid=sha256(_spki(trusted.public_key)).hexdigest())


def public_keys_of(policy: Policy) -> dict[str, bytes]:
    """Return the SPKI bytes of the keys that the policy itself holds, by key id, ascending."""
    spkis = [_spki(trusted.public_key) for trusted in policy.signers.values() if trusted.public_key]
    return dict(sorted((sha256(spki).hexdigest(), spki) for spki in spkis))


def _spki(text: str) -> bytes:
    try:
        data = b64decode(text, validate=True)
    except binascii.Error:
        data = b""
    # Compared with its own spelling, so that a key stands in one way.
    if not data or b64encode(data).decode() != text:
        raise PolicyError("`public_key` is not canonical base64")
    return data


def _contradictions(policy: Policy) -> Iterator[tuple[str, str]]:
    for name, trusted in sorted(policy.signers.items()):
        try:
            signer_of(trusted)
        except PolicyError as error:
            yield f"signers.{name}", error.message
    seen: dict[str, None] = {}
    for rule in policy.rules:
        place = f"rules, {rule.name!r}"
        if rule.name in seen:
            yield place, "two rules have this name"
        seen[rule.name] = None
        yield from ((place, what) for what in _of_rule(rule, policy))
    for number, revocation in enumerate(policy.revocations, start=1):
        yield from ((f"revocations, {number}", what) for what in _of_revocation(revocation))


def _of_rule(rule: Rule, policy: Policy) -> Iterator[str]:
    if rule.accept == "any":
        asked = (rule.predicates, rule.signers, rule.minimum_version, rule.maximum_age_days)
        if any(asked) or rule.seen or rule.build_types or rule.threshold != 1:
            yield 'accept = "any" asks for nothing, so nothing else can be asked for'
        return
    if not rule.predicates:
        yield 'it asks for no predicate; accept = "any" says so where that is meant'
    if rule.build_types and PROVENANCE not in rule.predicates:
        yield "it asks for a way to build, and for no provenance, which alone names one"
    if not rule.signers:
        yield "it names no signer, so nothing can meet it"
    if "claimed" in rule.seen:
        yield "a claim is no sight of anything"
    for names in (rule.predicates, rule.signers, rule.seen):
        if len(names) != len(dict.fromkeys(names)):
            yield "something stands in it twice"
    unknown = [name for name in rule.signers if name not in policy.signers]
    if unknown:
        yield f"the signer {unknown[0]!r} is not defined"
        return
    signers = [signer_of(policy.signers[name]) for name in rule.signers]
    different = len({signer_name(signer) for signer in signers})
    if rule.threshold > different:
        yield f"threshold {rule.threshold} of {different} different signers cannot be met"


def _of_revocation(revocation: Revocation) -> Iterator[str]:
    keyless = revocation.issuer is not None and revocation.identity is not None
    if (revocation.issuer is None) != (revocation.identity is None):
        yield "`issuer` and `identity` go together"
    named = (revocation.key is not None) + keyless + (revocation.digest is not None)
    if named != 1:
        yield "a revocation is of one of `key`, `digest`, or `issuer` and `identity`"
    if (revocation.size is None) != (not revocation.workspace):
        yield "`size` is that of a `workspace`, so they go together"
    if revocation.size is not None and revocation.digest is not None:
        yield "an artifact is revoked as a whole; `size` is for signers"
    if revocation.time is not None and revocation.digest is not None:
        yield "an artifact is revoked as a whole; `time` is for signers"
