"""Whatever bytes a bundle is made of: it is refused by name or it holds, in bounded memory."""

import struct
import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from replay.errors import BundleError
from tests.support import second_reader
from tests.support.bundle_forging import verify_bytes
from tools.bundle_forge import (
    canonical,
    deflated,
    manifest_of,
    raws,
    repeated,
    with_manifest,
    zipped,
)
from tools.forged_run import (
    RUN,
    WORKSPACE,
    Record,
    head_of,
    members_of,
    payload,
    run_records,
    workspace_frames,
    workspace_records,
)

MEMBERS = members_of()
WHOLE = zipped(raws(MEMBERS))
#: What reading takes beside the members, which the format lets expand up to 250 times.
MEMORY_MAX = 4 << 20


def judged(data):
    """Return whether a bundle holds; anything but a refusal by name is an error of ours."""
    member = "none"
    tracemalloc.start()
    try:
        verify_bytes(data)
    except BundleError as error:
        member = error.member
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < MEMORY_MAX + 300 * len(data)
    assert member
    return member == "none"


@given(st.binary(max_size=4000))
def test_arbitrary_bytes_are_refused(data):
    assert not judged(data)


@given(st.data())
def test_a_file_cut_and_pasted_is_refused_or_the_same(data):
    whole = bytearray(WHOLE)
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(whole)))
        stop = data.draw(st.integers(start, min(start + 64, len(whole))))
        source = data.draw(st.integers(0, len(WHOLE)))
        piece = data.draw(st.binary(max_size=8) | st.just(WHOLE[source : source + 64]))
        whole[start:stop] = piece

    assert judged(bytes(whole)) == (whole == WHOLE)


@given(st.data())
def test_both_readers_agree_on_any_plaintext_whose_digests_fit(data):
    name = data.draw(st.sampled_from(sorted(set(MEMBERS) - {"manifest.json"})))
    plain = bytearray(MEMBERS[name])
    for _ in range(data.draw(st.integers(1, 2))):
        start = data.draw(st.integers(0, len(plain)))
        stop = data.draw(st.integers(start, min(start + 40, len(plain))))
        source = data.draw(st.integers(0, len(plain)))
        numbers = st.integers(0, 2**32 - 1).map(lambda number: struct.pack("<I", number))
        piece = st.binary(max_size=6) | numbers | st.just(bytes(plain[source : source + 40]))
        plain[start:stop] = data.draw(piece)
    forged = zipped(raws(with_manifest({**MEMBERS, name: bytes(plain)})))

    assert judged(forged) == second_reader.holds(forged)


_VALUES = st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just("0" * 64)


@given(st.dictionaries(st.sampled_from([*manifest_of(MEMBERS), "more"]), _VALUES, max_size=2))
def test_both_readers_agree_on_any_fields_of_the_manifest(fields):
    manifest = canonical(manifest_of(MEMBERS) | fields)
    forged = zipped(raws({**MEMBERS, "manifest.json": manifest}))

    assert judged(forged) == second_reader.holds(forged)


@given(
    st.sampled_from(sorted(MEMBERS)),
    st.integers(1, 6),
    st.integers(0, 2**32 - 1) | st.integers(0, 70_000),
)
def test_a_stream_that_lies_about_its_length_is_stopped_there(name, mebibytes, length):
    bomb = deflated(repeated(0, mebibytes << 20))
    items = [
        raw.but(method=8, packed=bomb, length=length) if raw.name == name.encode() else raw
        for raw in raws(MEMBERS)
    ]

    assert not judged(zipped(items))


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "run": _VALUES,
            "size": _VALUES | st.integers(0, 9) | st.floats(allow_nan=False),
            "root": _VALUES,
            "reason": _VALUES | st.recursive(_VALUES, st.lists, max_leaves=4),
            "kind": st.sampled_from(["RunClosed", "RunHeld", "RunExported"]),
        },
    ),
    st.lists(st.integers(0, 3), max_size=4, unique=True),
    st.sampled_from([WORKSPACE, "another"]),
)
def test_both_readers_agree_on_whatever_a_workspace_says(said, shown, origin):
    size, root = head_of(run_records())
    end = {"run": RUN, "size": size, "root": root} | said
    kind = end.pop("kind", "RunClosed")
    records = workspace_records(size, root)
    records[3] = Record(kind, (payload(kind, **end),))
    frames = workspace_frames(records, shown=shown, origin=origin)
    members = {name: data for name, data in MEMBERS.items() if not name.startswith("workspace/")}
    members[f"workspace/{0:012d}-{len(frames) - 1:012d}.bin"] = b"".join(frames)
    forged = zipped(raws(with_manifest(members)))

    assert judged(forged) == second_reader.holds(forged)
