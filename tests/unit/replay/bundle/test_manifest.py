import hashlib

import msgspec
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from replay.bundle.manifest import (
    Manifest,
    Member,
    check_name,
    decode_manifest,
    encode_manifest,
    identity_of,
    member_name,
    range_of,
)
from replay.errors import BundleError, BundlePathError


def listed(kind, first, last, length=10):
    name = member_name(kind, first, last)
    return Member(digest="0" * 64, kind=kind, length=length, name=name)


NOTE = Member(digest="a" * 64, kind="checkpoint", length=80, name="checkpoint.note")
GOOD = Manifest(
    engine="1.0.0",
    format=1,
    kind="run",
    members=(
        NOTE,
        listed("headers", 0, 4),
        listed("headers", 5, 9),
        listed("parts", 0, 30),
        listed("refs", 0, 9),
    ),
    origin="ritornello/run/01JDTESTRUN",
    root="b" * 64,
    sealed=True,
    size=10,
)


def replaced(**changes):
    return msgspec.structs.replace(GOOD, **changes)


def test_a_manifest_comes_back_and_its_bytes_are_rfc_8785():
    raw = encode_manifest(GOOD)

    assert decode_manifest(raw) == GOOD
    assert raw == rfc8785.dumps(msgspec.to_builtins(GOOD))
    assert identity_of(raw) == hashlib.sha256(raw).hexdigest()


def test_fields_are_declared_in_sorted_order():
    for struct in (Manifest, Member):
        assert list(struct.__struct_fields__) == sorted(struct.__struct_fields__)


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        (replaced(members=GOOD.members[1:]), "lists no checkpoint.note"),
        (replaced(members=GOOD.members[:2] + GOOD.members[3:]), "lists headers of 5 records"),
        (replaced(members=GOOD.members[:4]), "lists refs of 0 records"),
        (replaced(size=11), "lists headers of 10 records"),
        (replaced(members=GOOD.members[::-1]), "not listed in ascending order"),
        (replaced(members=(NOTE, *GOOD.members)), "not listed in ascending order"),
        (
            replaced(members=(*GOOD.members[:2], listed("headers", 6, 9), *GOOD.members[3:])),
            "begins at 6, not at 5",
        ),
        (
            replaced(members=(NOTE, listed("headers", 0, 9, (1 << 20) + 1), *GOOD.members[3:])),
            "over the limit",
        ),
    ],
)
def test_a_list_with_gaps_doubles_or_too_much_is_refused(manifest, message):
    with pytest.raises(BundleError, match=message):
        encode_manifest(manifest)


@given(
    kind=st.sampled_from(["headers", "parts", "refs", "workspace"]),
    bounds=st.tuples(st.integers(0, 10**12 - 1), st.integers(0, 10**12 - 1)).map(sorted),
)
def test_names_and_ranges_are_each_others_inverse(kind, bounds):
    name = member_name(kind, *bounds)

    check_name(name)
    assert range_of(name) == (kind, *bounds)


@given(st.text(alphabet="abdefhnprst0123456789./-", max_size=66))
def test_no_other_name_is_accepted(name):
    if range_of(name) is None and name not in {"manifest.json", "checkpoint.note"}:
        with pytest.raises(BundlePathError):
            check_name(name)
