"""Whether a file came out of a release chain: its layout, its links, and who answers for it.

The one invariant: who may sign a layout is named on the command line, all of them have to have
signed it, and one whom the person's own trust file calls revoked does not count.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from orchestrator.cli.evidence.receipt_evidence import Receipts
from orchestrator.cli.exit_codes import ExitCode
from orchestrator.cli.key_verbs.trusted_keys import statement_keys
from orchestrator.cli.terminal import emit, emit_json, inert
from replay.errors import NotFoundError, UsageError

__all__ = ["verify_release_of"]

_ARTIFACT_SIZE_MAX: Final = 256 << 20
_METADATA_SIZE_MAX: Final = 4 << 20


def verify_release_of(
    file: Path, layout: Path, links: Sequence[Path], named: Receipts, *, as_json: bool
) -> int:
    """Verify that a file came out of the chain that a layout lays down; say what was found.

    Args:
        file: the artifact; its name is that of the chain's product.
        layout: envelope of the layout.
        links: envelopes of the links.
        named: the keys that have to have signed the layout.
        as_json: print one JSON object.

    Raises:
        UsageError: no key was named, or a file is too long.
        NotFoundError: a file is not there.
        LayoutError: the chain does not hold.
        EnvelopeError: the layout or a link is no envelope.
    """
    from attestations.statements.release import verify_release

    wanted = {each.public.keyid for each in named.keys}
    if not wanted:
        raise UsageError("whose layout is believed has to be named", hint="--key FILE.pub")
    counting = {each.public.keyid: each.public for each in statement_keys(named.keys).counting}
    release = verify_release(
        _read(layout, _METADATA_SIZE_MAX),
        [_read(each, _METADATA_SIZE_MAX) for each in links],
        [key for keyid, key in counting.items() if keyid in wanted],
        name=file.name,
        artifact=_read(file, _ARTIFACT_SIZE_MAX),
        threshold=len(wanted),
    )
    if as_json:
        fields = {
            "layout": release.layout,
            "owners": list(release.owners),
            "steps": [{"name": name, "by": list(by)} for name, by in release.steps],
            "products": release.products,
        }
        emit_json("verify", {"subject": "release", "file": str(file), **fields})
        return ExitCode.OK
    emit(f"release       {inert(file.name)} came out of the chain, sha256")
    emit(f"              {release.products[file.name]}")
    emit(f"layout        {release.layout}, signed by {', '.join(release.owners)}")
    for name, by in release.steps:
        emit(f"step          {inert(name)}: {', '.join(by)}")
    return ExitCode.OK


def _read(path: Path, size_max: int) -> bytes:
    if not path.is_file():
        raise NotFoundError("no such file", where=str(path))
    with path.open("rb") as file:
        data = file.read(size_max + 1)
    if len(data) > size_max:
        raise UsageError(f"the file has more than {size_max} bytes", where=str(path))
    return data
