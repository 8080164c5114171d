"""Secrets that a run's own records say were found too late, as far as they still stand in it."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.cli.reading.records import iter_events
from replay.events.kinds import SecretSuspected
from replay.log.port import LogReader

__all__ = ["suspected"]


def suspected(reader: LogReader) -> Iterator[tuple[SecretSuspected | None, frozenset[int]]]:
    """Yield what was suspected, and the parts of that which are still here.

    What is erased or withheld by now is passed over. None stands for a record that names a secret
    and cannot be read any more.

    Raises:
        IntegrityError: the run cannot be read.
    """
    noted: list[SecretSuspected] = []
    for lines in reader.lean(frozenset({"SecretSuspected"})):
        for entry in lines:
            if isinstance(entry, bytes):
                continue
            event = next(iter_events(reader, entry.header.seq, entry.header.seq + 1))
            if isinstance(event.payload, SecretSuspected):
                noted.append(event.payload)
            else:
                yield None, frozenset()
    records = {each.record for each in noted}
    parts: dict[int, set[int]] = {record: set() for record in records}
    for each in reader.entries() if records else ():
        for record in records & {each.header.seq, each.header.answers}:
            parts[record].update(each.parts)
    for suspicion in noted:
        here = reader.parts(sorted(parts[suspicion.record])).values()
        standing = frozenset(part.ordinal for part in here if part.data is not None)
        if standing:
            yield suspicion, standing
