"""Tests that are marked for vcrpy, taken as recorded runs: the switch ``--ritornello-vcr``.

The one invariant: one plugin runs a test. Cassettes are not read; a recording is made once.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import pytest

from orchestrator.testing.recordings.items import MARK, is_marked

__all__ = ["INI_VCR", "VCR_OPTION", "know_vcr_marks", "take_vcr_marks", "takes_vcr_marks"]

VCR_OPTION: Final = "ritornello_vcr"
INI_VCR: Final = "ritornello_vcr"
#: Name of a plugin as pytest knows it, and of the distribution that brings it.
_READERS: Final = (("recording", "pytest-recording"), ("vcr", "pytest-vcr"))
#: What those plugins register; without them ``--strict-markers`` would refuse the suite.
_MARKS: Final = (
    "vcr: is a recorded run of ritornello; its cassette is not read",
    "default_cassette(name): no meaning for a recorded run",
    "block_network: no meaning for a recorded run: every replay does",
    "allowed_hosts(hosts): no meaning for a recorded run",
)


def takes_vcr_marks(config: pytest.Config) -> bool:
    """Return whether tests marked ``vcr`` are to be recorded runs."""
    return bool(config.getoption(VCR_OPTION) or config.getini(INI_VCR))


def know_vcr_marks(config: pytest.Config) -> None:
    """Make the marks known.

    Raises:
        UsageError: another plugin would run the tests as well.
    """
    for plugin, distribution in _READERS:
        if config.pluginmanager.has_plugin(plugin):
            raise pytest.UsageError(
                f"--ritornello-vcr and {distribution} would both run the tests marked `vcr`;"
                f" switch that off: -p no:{plugin}"
            )
    for mark in _MARKS:
        config.addinivalue_line("markers", mark)


def take_vcr_marks(items: Iterable[pytest.Item]) -> None:
    """Mark each test that is marked ``vcr``; its recording has the test's name."""
    for item in items:
        if item.get_closest_marker("vcr") is not None and not is_marked(item):
            item.add_marker(MARK)
