"""Bounds on what a bundle may ask of its reader; the writer keeps them too.

A bundle may come from anywhere, so each number here is checked before the memory or the time it
bounds is spent. They belong to format version 1: a larger run needs a newer version.
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "BESIDE_MAX",
    "BUNDLE_SUFFIX",
    "EXPANSION_MAX",
    "FILE_SIZE_MAX",
    "FRAME_SIZE_MAX",
    "LISTED_LIVE_MAX",
    "LISTED_TOTAL_MAX",
    "MANIFEST_SIZE_MAX",
    "MEMBERS_MAX",
    "MEMBER_SIZE_MAX",
    "NAME_LENGTH_MAX",
    "PACKED_OVERHEAD",
    "POSITION_MAX",
    "REFS_SIZE_MAX",
]

BUNDLE_SUFFIX: Final = ".ritornello"
"""How a bundle's name ends; not a part of the format."""

#: Members in a file; each holds up to 1 MiB, so this is 16 GiB of plaintext.
MEMBERS_MAX: Final = 16_384
#: Bytes of plaintext in a member that holds more than one frame.
MEMBER_SIZE_MAX: Final = 1 << 20
#: Bytes of a single frame: a header line, a part list, a part, a statement. A frame above the
#: limit for members stands alone in its member.
FRAME_SIZE_MAX: Final = 64 << 20
#: Frames of statements, and frames of workspace excerpts: what lies beside the run.
BESIDE_MAX: Final = 1 << 16
#: Bytes of the manifest: 256 for each member.
MANIFEST_SIZE_MAX: Final = 4 << 20
#: Bytes of the file: what a zip without zip64 can address.
FILE_SIZE_MAX: Final = 0xFFFF_FFFE
#: Plaintext bytes for one compressed byte, at most. What would shrink further is stored as it is.
EXPANSION_MAX: Final = 250
#: Bytes by which a compressed member may be longer than a 1024th over its plaintext.
PACKED_OVERHEAD: Final = 64
NAME_LENGTH_MAX: Final = 64
#: Highest position or ordinal that fits into a member's name.
POSITION_MAX: Final = 10**12 - 1
#: Bytes of one stored part list: as many ordinals as a payload may have, of four bytes each.
REFS_SIZE_MAX: Final = 5 << 20
#: Part list entries that a reader holds at once, over all paths (the last list of each).
LISTED_LIVE_MAX: Final = 1 << 23
#: Part list entries over all records: what bounds the time that hashing the lists takes.
LISTED_TOTAL_MAX: Final = 1 << 29
