"""Keys: one spelling, one use, files that only their owner reads, and never beside the log."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from attestations.errors import KeyFileError, KeyFormError
from attestations.keys.files import (
    private_text,
    public_text,
    read_private,
    read_text,
    write_pair,
)
from attestations.keys.private import CHANGE_START, AttestationKey, LogKey, generate, key_of
from attestations.keys.public import ALGORITHMS, PublicKey, public_key_of, read_public_pem
from tests.support.signers import attestation_key, log_key


def _no_passphrase():
    raise AssertionError("nobody had to be asked")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_key_verifies_what_it_signed_and_nothing_else(algorithm):
    key = attestation_key(algorithm=algorithm)
    signature = key.sign_statement(b"DSSEv1 one")

    assert key.public.verifies(signature, b"DSSEv1 one")
    assert not key.public.verifies(signature, b"DSSEv1 two")
    assert not key.public.verifies(signature[:-1], b"DSSEv1 one")
    assert not attestation_key(algorithm=algorithm).public.verifies(signature, b"DSSEv1 one")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_public_key_has_one_spelling(algorithm):
    public = attestation_key(algorithm=algorithm).public

    assert PublicKey.from_spki(public.spki) == public
    assert read_public_pem(public_text("alice", "attestation", public)) == public
    for other in (public.spki + b"\0", b"\x30\x80" + public.spki[2:] + b"\0\0", b"", b"\xff" * 300):
        with pytest.raises(KeyFormError):
            PublicKey.from_spki(other)


def test_keys_of_other_algorithms_are_refused():
    for private in (ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 1024)):
        with pytest.raises(KeyFormError, match="neither Ed25519 nor"):
            public_key_of(private.public_key())


def test_a_private_key_where_the_public_one_belongs_is_named():
    private = private_text("alice", "attestation", generate("ed25519"), b"")

    with pytest.raises(KeyFormError, match="private key where the public one belongs"):
        read_public_pem(private, "alice.key")


def test_neither_key_signs_what_the_other_is_for():
    with pytest.raises(KeyFormError, match="checkpoints only"):
        log_key().sign(b"DSSEv1 28 application/vnd.in-toto+json 2 {}")
    with pytest.raises(KeyFormError, match="checkpoints only"):
        log_key().sign(CHANGE_START)
    with pytest.raises(KeyFormError, match="statements only"):
        attestation_key().sign_statement(b"ritornello/run/1\n1\nAAAA\n")
    with pytest.raises(KeyFormError, match="no change of keys"):
        log_key().sign_change(b"ritornello/run/1\n1\nAAAA\n")
    with pytest.raises(KeyFileError, match="a log key is Ed25519"):
        key_of("log", "x", generate("ecdsa-p256"))


@pytest.mark.parametrize(
    ("algorithm", "passphrase"),
    [("ed25519", b""), ("ecdsa-p256", b""), ("ed25519", b"correct horse")],
)
def test_a_key_file_opens_again_for_its_use_alone(tmp_path, algorithm, passphrase):
    private = generate(algorithm)
    public = public_key_of(private.public_key())
    path = tmp_path / "keys" / "alice.key"
    beside = write_pair(
        path,
        private_text("alice", "attestation", private, passphrase),
        public_text("alice", "attestation", public),
    )

    data = read_text(path)
    ask = (lambda: passphrase) if passphrase else _no_passphrase
    key = read_private(data, "attestation", ask, str(path))

    assert isinstance(key, AttestationKey)
    assert (key.name, key.public) == ("alice", public)
    assert read_public_pem(beside.read_bytes()) == public
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    with pytest.raises(KeyFileError, match="a key for statements, not for checkpoints"):
        read_private(data, "log", ask, str(path))
    if passphrase:
        with pytest.raises(KeyFileError, match="passphrase is wrong"):
            read_private(data, "attestation", lambda: b"wrong", str(path))


@pytest.mark.full
@pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl")
def test_openssl_opens_the_encrypted_file(tmp_path):
    path = tmp_path / "a.key"
    path.write_bytes(private_text("a", "attestation", generate("ed25519"), b"pass"))

    ran = subprocess.run(
        ["openssl", "pkey", "-in", path, "-passin", "pass:pass", "-noout", "-text"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert "ED25519 Private-Key" in ran.stdout


def test_an_unencrypted_key_that_others_can_read_is_refused(tmp_path):
    path = tmp_path / "a.key"
    path.write_bytes(private_text("a", "attestation", generate("ed25519"), b""))
    path.chmod(0o640)

    with pytest.raises(KeyFileError, match="can be read by others"):
        read_text(path)


def test_a_key_that_is_encrypted_in_an_older_form_asks_for_its_passphrase(tmp_path):
    private = generate("ecdsa-p256")
    pem = private.private_bytes(
        Encoding.PEM, PrivateFormat.TraditionalOpenSSL, BestAvailableEncryption(b"words")
    )
    path = tmp_path / "theirs.key"
    path.write_bytes(pem)
    path.chmod(0o644)

    key = read_private(read_text(path), "attestation", lambda: b"words", "theirs.key", "theirs")

    assert key.public == public_key_of(private.public_key())
    with pytest.raises(KeyFileError, match="the passphrase is wrong"):
        read_private(pem, "attestation", lambda: b"other", "theirs.key", "theirs")


def test_a_key_file_of_another_algorithm_is_named_with_what_to_try():
    private = ec.generate_private_key(ec.SECP384R1())
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    with pytest.raises(KeyFileError, match="neither Ed25519 nor") as refused:
        read_private(pem, "attestation", _no_passphrase, "p384.key", "p384")

    assert refused.value.where == "p384.key"
    assert "keys new" in refused.value.hint


@pytest.mark.parametrize("place", ["ws/a.key", "ws/keys/a.key", "link/a.key", ".ritornello/a.key"])
def test_no_key_lies_inside_a_workspace(tmp_path, place):
    (tmp_path / "ws").mkdir()
    (tmp_path / "ws" / "workspace.log").touch()
    (tmp_path / "link").symlink_to(tmp_path / "ws")
    private = generate("ed25519")

    with pytest.raises(KeyFileError, match="inside a workspace"):
        write_pair(tmp_path / place, private_text("a", "log", private, b""), b"")

    assert not list(tmp_path.rglob("*.key"))


def test_nothing_that_is_there_is_written_over(tmp_path):
    (tmp_path / "a.pub").touch()

    with pytest.raises(KeyFileError, match="a file of this name"):
        write_pair(tmp_path / "a.key", b"x", b"y")

    assert [each.name for each in tmp_path.iterdir()] == ["a.pub"]


def test_a_key_of_another_tool_signs_statements_and_no_checkpoint(tmp_path):
    private = generate("ecdsa-p256")
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    key = read_private(pem, "attestation", _no_passphrase, "theirs.pem", "theirs")

    assert key.name == "theirs"
    with pytest.raises(KeyFileError, match="nothing says that this is a log key"):
        read_private(pem, "log", _no_passphrase, "theirs.pem")


def test_a_key_under_the_lines_of_another_is_refused():
    mine = private_text("a", "log", generate("ed25519"), b"")
    theirs = private_text("a", "log", generate("ed25519"), b"")
    mixed = mine[: mine.index(b"-----BEGIN")] + theirs[theirs.index(b"-----BEGIN") :]

    with pytest.raises(KeyFileError, match="another one than its file says"):
        read_private(mixed, "log", _no_passphrase, "a.key")
    with pytest.raises(KeyFileError, match="not of the form"):
        read_private(mine.replace(b"role: log", b"role: all"), "log", _no_passphrase, "a.key")


def test_a_key_does_not_show_itself():
    key = log_key("w")

    assert repr(key) == f"<log key w {key.public.keyid}>"
    assert isinstance(key, LogKey)
    assert key.public_bytes == key.public.raw()


def test_a_witness_key_cosigns_and_signs_nothing_else_and_a_log_key_does_not_cosign():
    from attestations.checkpoints.checking import cosigned_message

    key = key_of("witness", "w", generate("ed25519"))
    log = key_of("log", "l", generate("ed25519"))
    body = b"ritornello/run/r\n1\n" + b"A" * 43 + b"=\n"

    assert len(key.sign(cosigned_message(body, 7))) == 64
    for text in (body, b"cosignature/v1\n1\nroot\n", b"DSSEv1 4 text", CHANGE_START + b"x\n"):
        with pytest.raises(KeyFormError, match="cosigns checkpoints only"):
            key.sign(text)
    with pytest.raises(KeyFormError, match="hands over to none"):
        key.sign_change(CHANGE_START + b"x\n")
    with pytest.raises(KeyFormError, match="checkpoints only"):
        log.sign(cosigned_message(body, 7))
    # A log may be called so; its head is none the less a head.
    assert len(log.sign(b"cosignature/v1\n1\n" + b"A" * 43 + b"=\n")) == 64
    with pytest.raises(KeyFileError, match="a witness key is Ed25519"):
        key_of("witness", "w", generate("ecdsa-p256"))
