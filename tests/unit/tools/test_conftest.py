"""The net below all tests: what leaves the machine is refused, what stays on it is not."""

import os
import socket

import pytest


def _refusal(action):
    try:
        action()
    except BaseException as error:
        return type(error).__name__
    return "nothing was refused"


@pytest.mark.parametrize("address", [("192.0.2.1", 80), ("2001:db8::1", 80, 0, 0)])
def test_a_connection_that_leaves_the_machine_is_refused(address):
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family) as client:
        client.settimeout(0.01)

        assert _refusal(lambda: client.connect(address)) == "OutsideConnectionError"


def test_a_name_that_is_not_of_this_machine_is_not_looked_up():
    assert _refusal(lambda: socket.getaddrinfo("example.invalid", 443)) == "OutsideConnectionError"


def test_loopback_connections_work():
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
    ):
        client.sendall(b"x")
        accepted, _ = server.accept()
        with accepted:
            assert accepted.recv(1) == b"x"


@pytest.fixture(scope="module", autouse=True)
def _someones_keys():
    os.environ["ANTHROPIC_API_KEY"] = "not-a-key"
    os.environ["SOMETHING_API_KEY"] = "not-a-key"
    os.environ["HTTPS_PROXY"] = "http://127.0.0.1:9"
    yield
    for name in ("ANTHROPIC_API_KEY", "SOMETHING_API_KEY", "HTTPS_PROXY"):
        os.environ.pop(name, None)


def test_keys_and_proxies_are_out_of_the_environment():
    left = {"ANTHROPIC_API_KEY", "SOMETHING_API_KEY", "HTTPS_PROXY"} & set(os.environ)

    assert left == set()
