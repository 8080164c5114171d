"""What of a log's head is known elsewhere: pins, heads seen before, time stamps.

The one invariant: what is known is never replaced by what contradicts it. A head is followed only
by one that is shown to continue it; where two cannot both be true, both are kept as evidence.
"""

from attestations.anchors.comparing import Comparison, compare
from attestations.anchors.heads import HeadMemory, Sighting
from attestations.anchors.pins import read_pin, write_pin
from attestations.anchors.time_stamps import (
    TimeStamp,
    TimeStampRoots,
    read_roots,
    request_time_stamp,
    verify_time_stamp,
)

__all__ = [
    "Comparison",
    "HeadMemory",
    "Sighting",
    "TimeStamp",
    "TimeStampRoots",
    "compare",
    "read_pin",
    "read_roots",
    "request_time_stamp",
    "verify_time_stamp",
    "write_pin",
]
