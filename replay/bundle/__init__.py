"""A run as one file: manifest, writer, reader.

The one invariant of this room: what a reader hands out is what the manifest's digest and the run's
root say, and every byte of the file is accounted for. The room knows no key, no store and no loop;
``bundles/FORMAT.md`` says the same in words, for whoever writes a second reader.
"""

from replay.bundle.frames import WorkspaceRecord
from replay.bundle.manifest import Manifest, Member
from replay.bundle.reader import BundleReader
from replay.bundle.verification import Verified
from replay.bundle.writer import BundleSummary, write_bundle

__all__ = [
    "BundleReader",
    "BundleSummary",
    "Manifest",
    "Member",
    "Verified",
    "WorkspaceRecord",
    "write_bundle",
]
