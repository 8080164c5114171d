"""Laws of comparing two runs, on runs drawn by chance."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from replay.events.kinds import EffectReturned, EffectStarted, OutputWritten, StateChanged
from replay.forensics.diff.compare import compare_runs
from replay.forensics.diff.fields import word_segments
from tests.support.conversations import RAW, end, spawn
from tests.support.recordings import ListReader, Recording

_STEP = st.tuples(
    st.integers(0, 5),
    st.sampled_from(["spawn", "call", "write", "state", "end"]),
    st.integers(0, 3),
)
_STEPS = st.lists(_STEP, max_size=25)
_EVERYTHING = {"listed": 10_000, "detailed": 10_000}


def build(steps):
    """A run of what the steps say, and the spawn path of each record."""
    run = Recording()
    tasks, paths, ordinals = [0], {0: ()}, {}
    owners = {0: ()}

    def own(seq, task):
        owners[seq] = paths[task]

    for who, what, value in steps:
        task = tasks[who % len(tasks)]
        if what == "spawn":
            label = f"t{value}"
            ordinal = ordinals[task, label] = ordinals.get((task, label), -1) + 1
            child = spawn(run, label, ordinal, task=task)
            paths[child] = (*paths[task], (label, ordinal))
            own(child, child)
            tasks.append(child)
        elif what == "call":
            asked = run.add(EffectStarted(name="e", arguments=RAW(b'{"v":%d}' % value)), task=task)
            answered = run.add(
                EffectReturned(value=RAW(b"%d" % value)), task=task, answers=asked, part=0
            )
            own(asked, task)
            own(answered, task)
        elif what == "write":
            text = b"%d words to write" % value
            own(run.add(OutputWritten(stream="stdout", marks=()), body=text, task=task), task)
        elif what == "state":
            heard = [len(run.entries) - 1]
            change = StateChanged(store="s", key="k", operation="written", version=value)
            own(run.add(change, task=task, heard=heard), task)
        else:
            own(end(run, task), task)
    return run, owners


def compared(a, b):
    return compare_runs(ListReader(a.entries), ListReader(b.entries), **_EVERYTHING)


@given(_STEPS)
def test_a_run_and_itself_differ_in_nothing(steps):
    run, _ = build(steps)

    found = compared(run, run)

    assert found.verdict == "same"
    assert (found.changed, found.only_a, found.only_b, found.ignored, found.moved) == (0,) * 5
    assert found.differences == ()
    assert found.prefix == found.equal


@given(_STEPS, _STEPS)
def test_exchanging_the_runs_mirrors_the_result(one, other):
    (a, _), (b, _) = build(one), build(other)

    assert mirrored(compared(a, b)) == plain(compared(b, a))


@given(_STEPS, _STEPS)
def test_what_is_compared_is_of_one_task(one, other):
    (a, paths_a), (b, paths_b) = build(one), build(other)

    for each in compared(a, b).differences:
        if each.sort == "changed":
            assert paths_a[each.seq_a] == paths_b[each.seq_b]
            assert a.entries[each.seq_a].header.kind == b.entries[each.seq_b].header.kind


@given(_STEPS, _STEPS)
def test_nothing_that_caused_the_first_divergence_differs(one, other):
    (a, _), (b, _) = build(one), build(other)
    found = compared(a, b)
    if found.first is None:
        assert (found.changed, found.only_a, found.only_b) == (0, 0, 0)
        return
    if not any(each.root for each in found.differences):
        return  # each run has the other's first one behind it
    for run, side in ((a, "seq_a"), (b, "seq_b")):
        differing = {getattr(each, side) for each in found.differences}
        todo, seen = [getattr(found.first, side)], set()
        while todo:
            seq = todo.pop()
            if seq is not None and seq not in seen:
                seen.add(seq)
                todo += run.entries[seq].header.causes
        assert seen & differing <= {getattr(found.first, side)}


@given(st.text(max_size=300), st.text(max_size=300))
def test_words_put_together_again_are_the_two_texts(a, b):
    segments = word_segments(a, b)
    if any("…" in each.text for each in segments):
        return
    assert "".join(each.text for each in segments if each.of in {"both", "a"}) == a
    assert "".join(each.text for each in segments if each.of in {"both", "b"}) == b


_SWAPPED = {
    "a": "b",
    "b": "a",
    "seq_a": "seq_b",
    "seq_b": "seq_a",
    "only_a": "only_b",
    "only_b": "only_a",
    "missing": "extra",
    "extra": "missing",
    **{f"{name}_a": f"{name}_b" for name in ("place", "reached", "end", "size", "nearest")},
    **{f"{name}_b": f"{name}_a" for name in ("place", "reached", "end", "size", "nearest")},
}


def plain(found):
    return _sorted(msgspec.json.decode(msgspec.json.encode(found)))


def mirrored(found):
    return _sorted(_swapped(msgspec.json.decode(msgspec.json.encode(found))))


def _swapped(value):
    if isinstance(value, dict):
        return {
            _SWAPPED.get(key, key): (
                _SWAPPED.get(item, item)
                if key in {"sort", "class", "of"} and isinstance(item, str)
                else _swapped(item)
            )
            for key, item in value.items()
        }
    return [_swapped(item) for item in value] if isinstance(value, list) else value


def _sorted(value):
    """Words of the first run stand before those of the second, whichever is which."""
    if isinstance(value, dict):
        value = {key: _sorted(item) for key, item in value.items()}
        if "words" in value:
            value["words"] = sorted(value["words"], key=msgspec.json.encode)
        return value
    return [_sorted(item) for item in value] if isinstance(value, list) else value
