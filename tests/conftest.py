"""What holds in every test: no key in the environment, no connection that leaves the machine."""

from __future__ import annotations

import ipaddress
import os
import re
import signal
import sys
from collections import Counter
from hashlib import sha256

import pytest
from hypothesis import HealthCheck, settings

# "dev" is what plain pytest takes, "sample" what `make test` does, "ci" what `make test-full` does;
# "full" draws anew and much, by hand: HYPOTHESIS_PROFILE=full make test.
_BASE = settings(deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("dev", _BASE, max_examples=30)
settings.register_profile("sample", _BASE, max_examples=20, derandomize=True)
settings.register_profile("ci", _BASE, max_examples=100, derandomize=True)
settings.register_profile("full", _BASE, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))

_CREDENTIAL = re.compile(r"(_API_KEY|_AUTH_TOKEN|_ACCESS_TOKEN|_SECRET|_SECRET_KEY|_BASE_URL)$")
_PROXY = re.compile(r"^(http|https|all|no|ftp)_proxy$", re.IGNORECASE)
_OURS = re.compile(
    r"^(RITORNELLO_|GITHUB_|OTEL_|ANTHROPIC_|OPENAI_|GOOGLE_|GEMINI_|OLLAMA_|LANGCHAIN_|LANGSMITH_)"
)

#: What pytest and its plugins take for "this is CI": a suite that a test runs judges for itself.
_IN_CI = ("CI", "BUILD_NUMBER")


# Who starts this in the background of a shell has Ctrl-C ignored in it and in all its children.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


class OutsideConnectionError(BaseException):
    """A test tried to leave the machine. Not an Exception, so that no retry swallows it."""


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch, request, tmp_path_factory):
    """Takes keys, proxies and our own settings out: a test must not depend on who runs it."""
    for name in list(os.environ):
        if _CREDENTIAL.search(name) or _PROXY.match(name) or _OURS.match(name) or name in _IN_CI:
            monkeypatch.delenv(name)
    # Keys, trust and heads of whoever runs the tests are theirs; made only by a test that uses it.
    place = (
        tmp_path_factory.getbasetemp() / "users" / sha256(request.node.nodeid.encode()).hexdigest()
    )
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(place / name.lower()))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Mark what `sample` leaves out as `full`, and let what imports much come last.

    Each run begins with a full collection of garbage, which looks at every object of the process:
    100 ms in a process that imported no SDK, 400 in one that did.
    """
    seen = Counter()
    for item in items:
        sample = item.get_closest_marker("sample")
        if sample is not None:
            function = item.nodeid.partition("[")[0]
            if seen[function] % sample.args[0]:
                item.add_marker("full")
            seen[function] += 1
    items.sort(key=lambda item: item.get_closest_marker("imports_sdk") is not None)


def _is_loopback(host: object) -> bool:
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    if host in {None, "", "localhost"}:
        return True
    try:
        return ipaddress.ip_address(str(host).partition("%")[0]).is_loopback
    except ValueError:
        return False


def refuse_outside(event: str, arguments: tuple[object, ...]) -> None:
    """An audit hook: refuses addresses and names that are not of this machine.

    An audit hook, not a patch of `socket`: it also sees sockets made by libraries, and the doors
    under test, which patch `socket` themselves, cannot undo it.
    """
    if event in {"socket.connect", "socket.sendto", "socket.sendmsg"}:
        address = arguments[1]
        # A text or bytes address is a Unix socket.
        if isinstance(address, tuple) and not _is_loopback(address[0]):
            raise OutsideConnectionError(f"{event} to {address!r}")
    elif event in {"socket.getaddrinfo", "socket.gethostbyname"} and not _is_loopback(arguments[0]):
        raise OutsideConnectionError(f"{event} of {arguments[0]!r}")


# A hook cannot be removed, so one is added to each test process, once.
sys.addaudithook(refuse_outside)
