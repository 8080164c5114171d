"""A run as one file: manifest, writer, reader.

The one invariant of this room: what a reader hands out is what the manifest's digest and the run's
root say, and every byte of the file is accounted for. The room knows no key, no store and no loop;
``bundles/FORMAT.md`` says the same in words, for whoever writes a second reader.
"""

from replay.bundle.attached import Attached, keep_attached, read_attached
from replay.bundle.manifest import Manifest, Member
from replay.bundle.publishing import BundleSummary
from replay.bundle.reader import BundleReader
from replay.bundle.rewriting import rewrite_bundle
from replay.bundle.statements import Statement
from replay.bundle.verification import Verified
from replay.bundle.writer import write_bundle
from replay.log.excerpt import Excerpt

__all__ = [
    "Attached",
    "BundleReader",
    "BundleSummary",
    "Excerpt",
    "Manifest",
    "Member",
    "Statement",
    "Verified",
    "keep_attached",
    "read_attached",
    "rewrite_bundle",
    "write_bundle",
]
