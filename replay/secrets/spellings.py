"""Every spelling in which a secret is looked for.

The one invariant: what is not in this list is not found: text escaped twice, base64 with line
breaks, hex of mixed case, compressed or encrypted bodies, a reversed or split value.
"""

from replay.secrets.coded_spelling import CodedTrack, base64_cells
from replay.secrets.text_spelling import TextTrack

__all__ = ["tracks_of"]


def tracks_of(
    number: int, find: str, put: str, public: int, *, keep_case: bool = False
) -> tuple[list[TextTrack], list[CodedTrack]]:
    """Every spelling in which `find` is looked for, and what stands there instead.

    A value with a backslash or a percent sign gets a track for each way to read it; any other is
    spelled without ambiguity, and one track reads JSON and percent-encoding mixed.
    """
    value, surrogate = find.encode("ascii"), put.encode("ascii")
    ways = (
        ((False, False, True), (True, False, False), (False, True, False))
        if b"\\" in value or b"%" in value
        else ((True, True, True),)
    )
    texts = [
        TextTrack(number, value, surrogate, public=public, json=json, percent=percent, bare=bare)
        for json, percent, bare in ways
    ]

    def coded(one: bytes, other: bytes, shift: int | None) -> CodedTrack:
        return CodedTrack(
            number, one, other, surrogate=surrogate, public=public, shift=shift,
            keep_case=keep_case,
        )  # fmt: skip

    codeds = [
        coded(value.hex().encode(), surrogate.hex().encode(), None),
        *(coded(base64_cells(value, n), base64_cells(surrogate, n), n) for n in range(3)),
    ]
    return texts, codeds
