"""Libraries that no door reaches into: named in the record, whether or not they were used.

They are compiled; what they draw or fetch asks the system and not the interpreter. That one of them
was loaded is all that can be seen of it. A library is listed here after a look at how it works.
"""

from __future__ import annotations

import sys
from typing import Final

from replay.events.kinds import CaptureGap

__all__ = ["LIBRARY_GAPS", "loaded_gaps"]

_ENTROPY: Final = "own-entropy"
_CONNECTIONS: Final = "own-connections"

#: Module to what it has of its own.
_LIBRARIES: Final = {
    "MySQLdb": _CONNECTIONS,
    "_sqlite3": _ENTROPY,
    "confluent_kafka": _CONNECTIONS,
    "cryptography.hazmat.bindings._rust": _ENTROPY,
    "curl_cffi": _CONNECTIONS,
    "fastuuid": _ENTROPY,
    "grpc._cython.cygrpc": _CONNECTIONS,
    "hf_xet": _CONNECTIONS,
    "jax": _ENTROPY,
    "nacl": _ENTROPY,
    "numpy.random": _ENTROPY,
    "oracledb": _CONNECTIONS,
    "polars": _ENTROPY,
    "primp": _CONNECTIONS,
    "psycopg_binary": _CONNECTIONS,
    "psycopg_c": _CONNECTIONS,
    "psycopg2": _CONNECTIONS,
    "pycurl": _CONNECTIONS,
    "pymssql": _CONNECTIONS,
    "pyodbc": _CONNECTIONS,
    "tensorflow": _ENTROPY,
    "torch": _ENTROPY,
    "zmq": _CONNECTIONS,
}
#: What a gap of this module is about.
LIBRARY_GAPS: Final = frozenset({_CONNECTIONS, _ENTROPY})


def loaded_gaps() -> list[CaptureGap]:
    """Return what is loaded in this process, by name."""
    return [
        CaptureGap(what=what, name=name)
        for name, what in sorted(_LIBRARIES.items())
        if name in sys.modules
    ]
