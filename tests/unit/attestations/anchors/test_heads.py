"""A verifier's memory follows a log only where it continues, and keeps what contradicts it."""

import itertools
import os
import subprocess
import sys

import pytest

from attestations.anchors import HeadMemory
from attestations.anchors import heads as heads_module
from attestations.errors import StateError
from replay.tree import Checkpoint, leaf_hash, root_of

LEAVES = [leaf_hash(bytes([n])) for n in range(9)]
FORGED = [leaf_hash(b"forged"), *LEAVES[1:]]


def head(leaves, origin="ritornello/run/A"):
    return Checkpoint(origin, len(leaves), root_of(leaves))


def see(memory, leaves, origin="ritornello/run/A"):
    now = head(leaves, origin)
    return memory.see(now, now.note(), lambda size: root_of(leaves[:size]))


@pytest.fixture
def memory(tmp_path):
    return HeadMemory(tmp_path / "state")


def test_a_head_is_kept_when_first_seen_and_followed_as_it_grows(memory):
    first = see(memory, LEAVES[:5])
    grown = see(memory, LEAVES)
    again = see(memory, LEAVES)

    assert (first.comparison, first.known) == (None, None)
    assert (grown.comparison, grown.known) == ("grown", head(LEAVES[:5]))
    assert (again.comparison, again.known) == ("same", head(LEAVES))
    assert memory.known("ritornello/run/A") == head(LEAVES)


@pytest.mark.parametrize(
    ("later", "expected"), [(LEAVES[:4], "shorter"), (FORGED, "fork"), (FORGED[:5], "fork")]
)
def test_what_contradicts_a_head_is_kept_beside_it_and_never_in_its_place(memory, later, expected):
    see(memory, LEAVES[:5])

    sighting = see(memory, later)

    assert sighting.comparison == expected
    assert sighting.kept.read_bytes() == head(later).note()
    assert sighting.kept.parent.name == "conflicts"
    assert memory.known("ritornello/run/A") == head(LEAVES[:5])
    assert see(memory, later).kept == sighting.kept


def test_who_was_first_is_told_that_it_was_contradicted_since(memory):
    see(memory, LEAVES[:5])
    see(memory, LEAVES[:3])

    before = see(memory, LEAVES[:5])
    see(memory, FORGED)
    after = see(memory, LEAVES[:5])

    # An earlier head of the same log contradicts nothing; another log in its place does.
    assert (before.comparison, before.contradicted) == ("same", False)
    assert (after.comparison, after.contradicted) == ("same", True)
    assert see(memory, LEAVES).contradicted


def test_logs_do_not_share_what_is_known_of_them(memory):
    see(memory, LEAVES, "ritornello/run/A")

    assert see(memory, FORGED, "ritornello/run/B").comparison is None


def test_the_evidence_of_one_log_is_bounded(memory, monkeypatch):
    monkeypatch.setattr(heads_module, "_CONFLICTS_MAX", 2)
    see(memory, LEAVES)

    kept = [see(memory, LEAVES[:n]).kept for n in (1, 2, 3)]
    last = see(memory, LEAVES[:3])

    assert [each is not None for each in kept] == [True, True, False]
    assert (last.comparison, "2 heads" in last.trouble) == ("shorter", True)


@pytest.mark.parametrize("damage", [b"", b"ritornello/run/A\n9\n", b"x" * 300_000])
def test_a_damaged_memory_is_an_error_and_not_a_first_sight(memory, damage):
    kept = see(memory, LEAVES).kept
    kept.write_bytes(damage)

    with pytest.raises(StateError, match="damaged"):
        see(memory, LEAVES)
    assert kept.read_bytes() == damage


def test_the_head_of_another_log_in_its_place_is_an_error(memory):
    kept = see(memory, LEAVES).kept
    kept.write_bytes(head(LEAVES, "ritornello/run/B").note())

    with pytest.raises(StateError, match="another log"):
        memory.known("ritornello/run/A")


def test_a_memory_that_cannot_be_written_still_compares(memory, tmp_path, monkeypatch):
    see(memory, LEAVES[:5])

    def refuse(path, data):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(heads_module, "write_whole", refuse)

    forked, grown = see(memory, FORGED), see(memory, LEAVES)

    assert (forked.comparison, forked.kept) == ("fork", None)
    assert (grown.comparison, grown.kept) == ("grown", None)
    assert grown.trouble == "Permission denied"
    assert memory.known("ritornello/run/A") == head(LEAVES[:5])


def test_a_memory_below_a_file_is_no_memory_and_says_so(tmp_path):
    (tmp_path / "state").write_text("not a directory")

    sighting = see(HeadMemory(tmp_path / "state"), LEAVES)

    assert (sighting.comparison, sighting.kept) == (None, None)
    assert sighting.trouble


def test_a_shorter_log_is_told_to_be_an_old_copy_or_a_fork_between_two_earlier_heads(memory):
    for size in (2, 4, 6, 9):
        see(memory, LEAVES[:size])
    forged = [*LEAVES[:3], *FORGED[:1] * 6]

    copy, between, behind = see(memory, LEAVES[:4]), see(memory, LEAVES[:5]), see(memory, forged)
    fork = see(memory, forged[:5])

    assert (copy.comparison, copy.common, copy.kept.parent.name) == (
        "shorter",
        head(LEAVES[:4]),
        "seen",
    )
    assert (between.comparison, between.common) == ("shorter", head(LEAVES[:4]))
    assert (behind.comparison, behind.common, behind.known) == (
        "fork",
        head(LEAVES[:2]),
        head(LEAVES[:4]),
    )
    assert (fork.comparison, fork.common, fork.known) == (
        "fork",
        head(LEAVES[:2]),
        head(LEAVES[:4]),
    )
    assert see(memory, FORGED[:3]).common is None


def test_all_heads_that_were_seen_are_known(memory):
    for size in (2, 4, 6, 9):
        see(memory, LEAVES[:size])
    see(memory, FORGED)

    assert memory.heads("ritornello/run/A") == tuple(head(LEAVES[:n]) for n in (2, 4, 6, 9))
    assert memory.heads("ritornello/run/B") == ()


def test_of_a_log_that_is_verified_often_few_heads_stay_spread_over_its_sizes(memory, monkeypatch):
    monkeypatch.setattr(heads_module, "_EARLIER_MAX", 4)
    leaves = [leaf_hash(bytes([n])) for n in range(65)]
    for size in range(1, 66):
        see(memory, leaves[:size])

    sizes = [each.size for each in memory.heads("ritornello/run/A")]

    assert (len(sizes), sizes[0], sizes[-1]) == (5, 1, 65)
    assert max(b - a for a, b in itertools.pairwise(sizes)) <= 40


def test_a_damaged_earlier_head_is_an_error_and_not_forgotten(memory, tmp_path):
    see(memory, LEAVES[:5])
    see(memory, LEAVES)
    next((tmp_path / "state").rglob("seen/*")).write_bytes(b"x")

    with pytest.raises(StateError, match="damaged"):
        see(memory, LEAVES[:5])


def test_what_another_verifier_saw_meanwhile_makes_no_log_too_short(memory):
    see(memory, LEAVES[:5])
    begun = memory.known("ritornello/run/A")
    see(memory, LEAVES)  # meanwhile
    now = head(LEAVES[:7])

    def of(leaves, known):
        now = head(leaves)
        return memory.see(now, now.note(), lambda size: root_of(leaves[:size]), begun=known)

    assert of(LEAVES[:7], begun).comparison == "grown"
    assert of(LEAVES[:5], begun).comparison == "same"
    assert memory.known("ritornello/run/A") == head(LEAVES)
    assert of(LEAVES[:4], begun).comparison == "shorter"
    assert of(FORGED[:7], begun).comparison == "fork"
    assert of(LEAVES[:7], memory.known(now.origin)).comparison == "shorter"


def test_two_verifiers_of_one_log_take_turns(memory, tmp_path):
    """A child process holds the lock; this one gives up and says who to wait for."""
    see(memory, LEAVES)
    lock = next((tmp_path / "state").rglob("lock"))
    code = (
        "import fcntl, sys; f = open(sys.argv[1]); fcntl.flock(f, fcntl.LOCK_EX);"
        "print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, os.fspath(lock)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(heads_module, "_LOCK_TRIES", 2)
            with pytest.raises(StateError, match="another verifier"):
                see(memory, LEAVES)
        holder.stdin.close()

    assert see(memory, LEAVES).comparison == "same"
