import socket

import pytest

from tests.support.private_sigstore.signed import Signed


@pytest.fixture(scope="module")
def signed():
    return Signed()


@pytest.fixture
def no_network(monkeypatch, tmp_path):
    """Nothing can be asked, and nothing was cached: every connection and lookup fails."""

    def refuse(*_, **__):
        raise AssertionError("a verifier asked the network")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    for name in ("HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    yield

    assert not (tmp_path / "home").exists(), "a verifier kept or looked for something of its own"
