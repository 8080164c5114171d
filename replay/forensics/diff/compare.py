"""How two runs differ: aligned by causal identity, with the first divergence by causes.

The one invariant: a thing is compared with the same step of the same task in the other run and with
nothing else, wherever the two stand in their logs. Exchanging the runs mirrors the result; a run
compared with itself gives no difference. One pass over each run, some hundred bytes of memory for
each record, whatever the records hold.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from replay.forensics.diff.causes import ancestors, behind
from replay.forensics.diff.classes import class_of, elsewhere
from replay.forensics.diff.details import Details
from replay.forensics.diff.index import DIGEST_ONLY, FACTS, HOLE, READ, RunIndex
from replay.forensics.diff.names import Names
from replay.forensics.diff.outcomes import code_of, facts_of, outputs_of, set_up_of, tasks_of
from replay.forensics.diff.rules import Rules
from replay.forensics.diff.values import Difference, IgnoredCause, Reached, RuleUse, RunDiff

if TYPE_CHECKING:
    from collections.abc import Sequence

    from replay.forensics.diff.names import Identity
    from replay.log.port import LogReader

__all__ = ["DETAILED", "LISTED", "compare_runs"]

#: Differences that are listed, and those among them whose fields are looked at, unless told
#: otherwise.
LISTED: Final = 50
DETAILED: Final = 10
_REACHED_MAX: Final = 200

_State = Literal["equal", "changed", "not_compared"]


class _Found(NamedTuple):
    """A difference before anybody looked into it; sorts alike whichever run is the first."""

    low: int
    high: int
    key: Identity
    a: int | None
    b: int | None


def compare_runs(
    a: LogReader,
    b: LogReader,
    rules: Rules | None = None,
    *,
    listed: int = LISTED,
    detailed: int = DETAILED,
) -> RunDiff:
    """Compare two runs.

    Args:
        a: one run; open ones are compared as far as they go.
        b: the other.
        rules: what is ignored; the default rules, if not given.
        listed: how many differences are listed at most.
        detailed: how many of them are looked into field by field at most.

    Raises:
        IntegrityError: one of them cannot be read.
        UsageError: one of them is too large to be compared.

    Complexity: linear in the records, but for the sorting of what is equal by position.
    """
    rules = rules or Rules()
    names = Names()
    one, other = RunIndex(a, names, rules), RunIndex(b, names, rules)
    return _Comparison(one, other, rules).result(listed, detailed)


class _Comparison:
    def __init__(self, a: RunIndex, b: RunIndex, rules: Rules) -> None:
        self._a, self._b, self._rules, self._names = a, b, rules, a.names
        self._found: list[_Found] = []
        self._ignored: list[tuple[int, int | None, int | None]] = []
        self._equal = self._not_compared = 0
        partners: list[int] = []
        for item, key in enumerate(a.keys):
            partner = b.by_key.get(key)
            if partner is None:
                self._differs(key, item, None)
                continue
            partners.append(partner)
            state = self._state(item, partner)
            if state == "changed":
                self._differs(key, item, partner)
            elif state == "not_compared":
                self._not_compared += 1
            else:
                self._equal += 1
        for item, key in enumerate(b.keys):
            if key not in a.by_key:
                self._differs(key, None, item)
        self._moved = len(partners) - _longest_rising(partners)
        self._found.sort(key=self._rank)
        self._behind_a = behind(a, [a.seqs[f.a] for f in self._found if f.a is not None])
        self._behind_b = behind(b, [b.seqs[f.b] for f in self._found if f.b is not None])
        roots = [found for found in self._found if self._is_root(found)]
        # Two runs may each have the other's first difference behind it: then position decides.
        self._first = min(roots or self._found, key=self._rank, default=None)
        seq_a, seq_b = self._seqs(self._first)
        self._reached_a = behind(a, [] if seq_a is None else [seq_a])
        self._reached_b = behind(b, [] if seq_b is None else [seq_b])

    # --- item by item ---------------------------------------------------------------------------

    def _state(self, item: int, partner: int) -> _State:
        a, b = self._a, self._b
        same = a.digest(item) == b.digest(partner)
        flags = a.flags[item] | b.flags[partner]
        if flags & (HOLE | DIGEST_ONLY):
            known = a.commitments.get(item)
            if known is not None and known == b.commitments.get(partner):
                return "equal"
            return "not_compared" if flags & HOLE or same else "changed"
        if not same:
            return "changed"
        if a.heard.get(item) != b.heard.get(partner):
            path, kind, _, _ = self._names.parts(a.keys[item])
            kind_name = self._names.kind_text(kind).partition(" ")[0]
            headers, _ = self._rules.fields(kind_name, self._names.path_text(path))
            return "equal" if "heard" in headers else "changed"
        return "equal"

    def _differs(self, key: Identity, a: int | None, b: int | None) -> None:
        """Enter a difference, or what is ignored of it."""
        path, kind, _, _ = self._names.parts(key)
        name, _, source = self._names.kind_text(kind).partition(" ")
        flags = (0 if a is None else self._a.flags[a]) | (0 if b is None else self._b.flags[b])
        task = self._names.path_text(path)
        read = bool(flags & READ) and not flags & FACTS
        rule = self._rules.whole(name, task, source or None, read=read)
        seq_a = None if a is None else self._a.seqs[a]
        seq_b = None if b is None else self._b.seqs[b]
        if rule is not None:
            self._ignored.append((rule, seq_a, seq_b))
            return
        there = [seq for seq in (seq_a, seq_b) if seq is not None]
        self._found.append(_Found(min(there), max(there), key, a, b))

    def _seqs(self, found: _Found | None) -> tuple[int | None, int | None]:
        if found is None:
            return None, None
        return (
            None if found.a is None else self._a.seqs[found.a],
            None if found.b is None else self._b.seqs[found.b],
        )

    def _is_root(self, found: _Found) -> bool:
        return not self._after(found, self._behind_a, self._behind_b)

    def _after(self, found: _Found, in_a: bytearray, in_b: bytearray) -> bool:
        seq_a, seq_b = self._seqs(found)
        return bool((seq_a is not None and in_a[seq_a]) or (seq_b is not None and in_b[seq_b]))

    def _rank(self, found: _Found) -> tuple[int, int, str]:
        return found.low, found.high, self._names.text(found.key)

    # --- the result -----------------------------------------------------------------------------

    def result(self, listed: int, detailed: int) -> RunDiff:
        found, first = self._found, self._first
        details = Details(self._a, self._b)
        shown = found[:listed]
        if first is not None and first not in shown:
            shown = [first, *shown[: listed - 1]]
        looked = {first.key} if first is not None else set[int]()
        looked |= {each.key for each in shown[:detailed]}
        differences = tuple(self._difference(f, details, look=f.key in looked) for f in shown)
        main = None
        if first is not None:
            main = next(each for each, f in zip(differences, shown, strict=True) if f is first)
        follows = sum(self._after(f, self._reached_a, self._reached_b) for f in found)
        sorts = Counter(self._sort(each) for each in found)
        by_task = Counter(self._names.parts(each.key)[0] for each in found)
        tasks, omitted_tasks = tasks_of(self._a, self._b, by_task)
        judged = "not_judged" if self._not_compared else "same"
        return RunDiff(
            verdict="different" if found else "same" if judged == "same" else "not_judged",
            a=facts_of(self._a),
            b=facts_of(self._b),
            prefix=self._prefix(),
            equal=self._equal,
            changed=sorts["changed"],
            only_a=sorts["only_a"],
            only_b=sorts["only_b"],
            not_compared=self._not_compared,
            ignored=len(self._ignored),
            moved=self._moved,
            first=main,
            differences=differences,
            omitted=len(found) - len(shown),
            reached_a=sum(self._reached_a),
            reached_b=sum(self._reached_b),
            reached=self._reached(),
            follows=follows,
            independent=len(found) - follows - (first is not None),
            ignored_causes=self._ignored_causes(),
            code=code_of(self._a, self._b),
            set_up=set_up_of(self._a, self._b),
            tasks=tasks,
            omitted_tasks=omitted_tasks,
            outputs=outputs_of(self._a, self._b),
            rules=self._uses(),
        )

    def _difference(self, found: _Found, details: Details, *, look: bool) -> Difference:
        path, kind, index, nth = self._names.parts(found.key)
        kind_name = self._names.kind_text(kind)
        sort = self._sort(found)
        detail = details.of(found.key, found.a, found.b) if look else None
        fields = () if detail is None else detail.fields
        near = elsewhere(self._a, self._b, found.key) if sort == "changed" else None
        seq_a, seq_b = self._seqs(found)
        return Difference(
            task=self._names.path_text(path),
            kind=kind_name,
            index=index,
            nth=nth,
            sort=sort,
            cls=class_of(kind_name, sort, fields, near),
            seq_a=seq_a,
            seq_b=seq_b,
            root=self._is_root(found),
            follows_first=self._after(found, self._reached_a, self._reached_b),
            fields=fields,
            omitted_fields=0 if detail is None else detail.omitted,
            place_a=None if detail is None else detail.place_a,
            place_b=None if detail is None else detail.place_b,
        )

    def _sort(self, found: _Found) -> Literal["changed", "only_a", "only_b"]:
        if found.b is None:
            return "only_a"
        return "only_b" if found.a is None else "changed"

    def _prefix(self) -> int:
        """Return how many things at the beginning are the same in both logs, in the same order."""
        differing = {each.key for each in self._found}
        count = 0
        for one, other in zip(self._a.keys, self._b.keys, strict=False):
            if one != other or one in differing:
                break
            count += 1
        return count

    def _reached(self) -> tuple[Reached, ...]:
        counts: dict[tuple[int, int], list[int]] = {}
        pair = ((self._a, self._reached_a), (self._b, self._reached_b))
        for side, (run, reached) in enumerate(pair):
            for seq in range(run.size):
                if reached[seq]:
                    place = run.path_of[seq], run.kind_of[seq]
                    counts.setdefault(place, [0, 0])[side] += 1
        rows = [
            Reached(
                task=self._names.path_text(path),
                kind=self._names.kind_text(kind),
                a=found[0],
                b=found[1],
            )
            for (path, kind), found in counts.items()
        ]
        rows.sort(key=lambda row: (-row.a - row.b, row.task, row.kind))
        return tuple(rows[:_REACHED_MAX])

    def _ignored_causes(self) -> tuple[IgnoredCause, ...]:
        """Return what is ignored and stands among the causes of the first divergence."""
        seq_a, seq_b = self._seqs(self._first)
        before_a = bytearray() if seq_a is None else ancestors(self._a, seq_a)
        before_b = bytearray() if seq_b is None else ancestors(self._b, seq_b)
        causes: dict[int, list[int]] = {}
        for rule, one, other in self._ignored:
            in_a = one is not None and bool(before_a) and bool(before_a[one])
            in_b = other is not None and bool(before_b) and bool(before_b[other])
            if in_a or in_b:
                entry = causes.setdefault(rule, [0, -1, -1])
                entry[0] += 1
                if one is not None and in_a:
                    entry[1] = max(entry[1], one)
                if other is not None and in_b:
                    entry[2] = max(entry[2], other)
        return tuple(
            IgnoredCause(
                rule=self._rules.all[rule].text,
                count=count,
                nearest_a=None if near_a < 0 else near_a,
                nearest_b=None if near_b < 0 else near_b,
            )
            for rule, (count, near_a, near_b) in sorted(causes.items())
        )

    def _uses(self) -> tuple[RuleUse, ...]:
        counts = Counter(rule for rule, _, _ in self._ignored)
        return tuple(
            RuleUse(
                rule=rule.text,
                default=rule.default,
                records=counts[number] if rule.whole else None,
            )
            for number, rule in enumerate(self._rules.all)
        )


def _longest_rising(numbers: Sequence[int]) -> int:
    """Return the length of the longest rising subsequence: what did not change its order."""
    tails: list[int] = []
    for number in numbers:
        at = bisect_left(tails, number)
        if at == len(tails):
            tails.append(number)
        else:
            tails[at] = number
    return len(tails)
