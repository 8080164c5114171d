"""Ids made in Rust: answered inside a run, the library's own outside of it."""

import uuid

import pytest

from replay.session.record import record_program

uuid_utils = pytest.importorskip("uuid_utils")
compat = pytest.importorskip("uuid_utils.compat")
held = compat.uuid7  # under a name that the door does not know


def _all():
    mixed = [uuid_utils.uuid1(), uuid_utils.uuid4(), uuid_utils.uuid6(), uuid_utils.uuid7()]
    plain = [compat.uuid1(), compat.uuid4(), compat.uuid6(), compat.uuid7(), held()]
    return mixed, plain


def test_ids_keep_their_class_version_and_variant_inside_a_run(tmp_path):
    mixed, plain = record_program(
        lambda: _as_text(_all()), workspace=tmp_path, entry="t", dialects=()
    ).result()

    assert [uuid.UUID(text).version for text in (*mixed, *plain)] == [1, 4, 6, 7, 1, 4, 6, 7, 7]
    assert {uuid.UUID(text).variant for text in (*mixed, *plain)} == {uuid.RFC_4122}


def _as_text(ids):
    mixed, plain = ids
    assert {type(each) for each in mixed} == {uuid_utils.UUID}
    assert {type(each) for each in plain} == {uuid.UUID}
    return [str(each) for each in mixed], [str(each) for each in plain]


def test_version_seven_grows_and_holds_the_time_that_is_given(tmp_path):
    def main():
        return [held() for _ in range(50)], compat.uuid7(1_700_000_000, 5_000_000)

    made, given = record_program(main, workspace=tmp_path, entry="t", dialects=()).result()

    assert made == sorted(made)
    assert given.int >> 80 == 1_700_000_000_005


def test_outside_a_run_the_library_makes_them_itself(tmp_path):
    before = uuid_utils.uuid7, compat.uuid7.__code__

    record_program(_all, workspace=tmp_path, entry="t", dialects=())

    assert (uuid_utils.uuid7, compat.uuid7.__code__) == before
    assert held().version == 7
