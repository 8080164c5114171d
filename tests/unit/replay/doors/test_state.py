"""A program's own state: an ordinary mapping outside a run, on record in one, replayed alike."""

import asyncio
import threading
from dataclasses import dataclass

import pytest

import replay
from replay.doors.context import current
from replay.errors import UsageError
from tests.support.reruns import identical, rerun
from tests.support.states import changes_of, records_of, told


def test_outside_a_run_it_is_a_mapping():
    board = replay.state("board", {"n": 1})
    board["list"] = [1]
    board["list"] += [2]
    del board["n"]

    assert dict(board) == {"list": [1, 2]}
    assert (len(board), "n" in board, board.get("n"), board.pop("list")) == (1, False, None, [1, 2])


def test_every_change_and_every_first_read_of_a_version_is_a_record(tmp_path):
    board = replay.state("board", {"n": 1})

    async def main():
        board["n"] = board["n"] + board["n"]
        assert board["n"] == 2
        board["gone"] = None
        del board["gone"]
        assert "gone" not in board
        assert list(board) == ["n"]

    found = identical(main, tmp_path / "w")

    assert told(changes_of(found.recording.directory)) == [
        ("held", "n", 1, "1"),
        ("written", "n", 2, "2"),
        ("written", "gone", 1, "null"),
        ("deleted", "gone", 2, "null"),
    ]


def test_whoever_did_not_make_a_version_reads_it_once(tmp_path):
    board = replay.state("board")

    async def reader():
        return [board["n"], board["n"], len(board), "missing" in board, "missing" in board]

    async def main():
        board["n"] = 1
        await asyncio.gather(reader(), reader())
        board["n"] = 2
        await reader()

    found = identical(main, tmp_path / "w")

    changes = changes_of(found.recording.directory)
    assert [(c.operation, c.key, c.version) for c in changes] == [
        ("written", "n", 1),
        *[("read", "n", 1), ("read", None, 1), ("read", "missing", 0)] * 2,
        ("written", "n", 2),
        ("read", "missing", 0),
    ]


def test_a_missing_key_is_read_before_it_fails(tmp_path):
    board = replay.state("board")

    async def main():
        for ask in (lambda: board["n"], lambda: board.__delitem__("m")):
            with pytest.raises(KeyError):
                ask()

    found = identical(main, tmp_path / "w")

    assert told(changes_of(found.recording.directory)) == [
        ("read", "n", 0, "null"),
        ("read", "m", 0, "null"),
    ]


def test_each_run_starts_from_the_initial_values(tmp_path):
    board = replay.state("board", {"n": [0]})
    board["n"] = [9]

    async def main():
        board["n"] += [1]
        return board["n"]

    assert identical(main, tmp_path / "a").recording.result() == [0, 1]
    assert identical(main, tmp_path / "b").recording.result() == [0, 1]
    assert board["n"] == [9]


def test_two_mappings_of_a_name_are_two_stores(tmp_path):
    async def main():
        for value in (1, 2):
            replay.state("board")["n"] = value

    found = identical(main, tmp_path / "w")

    assert [(c.store, c.ordinal) for c in changes_of(found.recording.directory)] == [
        ("board", 0),
        ("board", 1),
    ]


@dataclass
class Point:
    x: int


class Thing:
    pass


def test_what_is_no_plain_data_is_named_by_its_type(tmp_path):
    board = replay.state("board")

    async def main():
        thing = Thing()
        board["mixed"] = {"thing": thing, "point": Point(3), "set": {"b", "a"}}
        assert board["mixed"]["thing"] is thing

    found = identical(main, tmp_path / "w")

    (change,) = changes_of(found.recording.directory)
    assert change.opaque == (f"{__name__}:Thing",)
    assert bytes(change.value).decode() == (
        f'{{"point":{{"x":3}},"set":["a","b"],"thing":{{"type":"{__name__}:Thing"}}}}'
    )


def test_a_value_that_cannot_be_encoded_is_named_as_a_whole(tmp_path):
    board = replay.state("board")

    async def main():
        board["text"] = "\ud800"

    (change,) = changes_of(identical(main, tmp_path / "w").recording.directory)
    assert (bytes(change.value), change.opaque) == (b'{"type":"builtins:str"}', ("builtins:str",))


def test_keys_are_text_and_values_do_not_hold_themselves():
    board = replay.state("board")
    loop: list = []
    loop.append(loop)

    with pytest.raises(UsageError, match="text, not int"):
        board[1] = 1
    with pytest.raises(UsageError, match="holds itself"):
        board["loop"] = loop


def test_the_writer_of_a_record_is_the_task_or_thread_that_wrote(tmp_path):
    board = replay.state("board")

    async def worker(number):
        await asyncio.sleep(0)
        board[f"task-{number}"] = number

    def in_thread():
        board["thread"] = 1

    async def main():
        await asyncio.gather(worker(1), worker(2))
        await asyncio.to_thread(in_thread)
        thread = threading.Thread(target=in_thread)
        thread.start()
        thread.join()

    found = identical(main, tmp_path / "w")

    headers = [h for h, p in records_of(found.recording.directory) if h.kind == "StateChanged"]
    assert len({header.task for header in headers}) == 4


def test_a_changed_write_is_a_divergence_at_its_record(tmp_path):
    board = replay.state("board")

    values = iter((1, 2))

    async def main():
        board["n"] = next(values)

    found = rerun(main, tmp_path / "w")

    assert found.report.verdict == "diverged"
    divergence = found.report.divergence
    assert (divergence.recorded_kind, divergence.fields[0].path) == ("StateChanged", "value")


def test_an_extra_read_is_a_divergence(tmp_path):
    board = replay.state("board", {"n": 1})

    async def main():
        return 1

    async def curious():
        assert board["n"] == 1
        return 1

    assert rerun(main, tmp_path / "w", changed=curious).report.verdict == "diverged"


def test_an_effect_sees_what_is_outside_of_the_run(tmp_path):
    board = replay.state("board", {"n": 1})

    @replay.effect
    def look() -> bool:
        return current() is None and board["n"] == 1

    async def main():
        board["n"] = 2
        return look()

    assert identical(main, tmp_path / "w").recording.result() is True
