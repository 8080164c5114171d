"""The second reader of the format, `attestations.standalone`, as tests ask it: does this hold?"""

from __future__ import annotations

import io
from pathlib import Path

from attestations.standalone import Report, verify

__all__ = ["holds", "judged"]


def judged(bundle: Path | bytes) -> Report:
    """Return what it says of a file, or of the bytes of one."""
    report = verify(io.BytesIO(bundle if isinstance(bundle, bytes) else bundle.read_bytes()))
    assert (report.integrity == "ok") == (report.refused is None)
    return report


def holds(bundle: Path | bytes) -> bool:
    """Whether it holds; nothing that tests make is too much for it to say."""
    report = judged(bundle)
    assert report.integrity in {"ok", "failed"}
    return report.integrity == "ok"
