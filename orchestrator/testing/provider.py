"""The scripted provider as a process: ``python -m orchestrator.testing.provider --mode wild``.

Prints its URL on a line of its own and answers until it is interrupted or terminated.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Sequence
from typing import Final

from orchestrator.testing.server import ScriptedProvider

__all__ = ["main"]

_PORT_MAX: Final = 65_535


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a provider until SIGINT or SIGTERM.

    Args:
        arguments: of the command line; those of the process if None.

    Returns:
        The exit code: 0, or 1 if it could not listen.
    """
    parser = argparse.ArgumentParser(prog="python -m orchestrator.testing.provider")
    parser.add_argument("--mode", choices=("pure", "wild"), default="pure")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--port", type=int, default=0, help="0 takes any free port")
    options = parser.parse_args(arguments)
    if not 0 <= options.port <= _PORT_MAX:
        parser.error(f"there is no port {options.port}")
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: ended.set())
    provider = ScriptedProvider(mode=options.mode, seed=options.seed, port=options.port)
    try:
        provider.start()
    except OSError as error:
        sys.stderr.write(f"cannot listen on port {options.port}: {error.strerror}\n")
        return 1
    try:
        sys.stdout.write(f"{provider.base_url}\n")
        sys.stdout.flush()
        ended.wait()
    finally:
        provider.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
