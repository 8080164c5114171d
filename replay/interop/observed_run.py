"""A run made of what another tool saw: the same records, marked as observed.

The order of the file stands for the order in which things happened, which is all that a cassette
knows; so the records form one chain. What a dialect reads in an exchange is derived here by the
same code as in a recording, and credentials are replaced by surrogates in the same way.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import msgspec

from replay.doors.dialect import Dialect
from replay.doors.http.wire import (
    decoded_body,
    request_head,
    request_view,
    response_view,
    wire_head,
)
from replay.errors import UsageError
from replay.events.digest import SALT_BYTES
from replay.events.entry import Entry
from replay.events.header import Header, encode_header
from replay.events.kinds import (
    ChunksReceived,
    Payload,
    ResponseEnded,
    RunSealed,
    RunStarted,
    SecretRegistered,
    SecretSuspected,
    kind_of,
)
from replay.events.parts import PartTable
from replay.events.payload import encode_head, split
from replay.interop.exchange_view import (
    RequestLike,
    claimed_time_us,
    response_head,
    secret_values,
)
from replay.interop.vcr_cassette import Cassette, Interaction, read_cassette
from replay.log.run_id import RUN_ID_ENTROPY_BYTES, new_run_id
from replay.secrets.patterns import (
    MIN_SECRET_LENGTH,
    Scrubber,
    Secret,
    SecretError,
    make_surrogate,
)
from replay.tree import Frontier, event_leaves
from replay.version import VERSION

__all__ = ["ObservedRun", "observe_cassette"]


class ObservedRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run that was observed, complete and sealed.

    Attributes:
        run: its id, which follows from the file, the engine's version and the dialects: the same
            file gives the same to the same engine.
        entries: its records.
        root: of their tree.
        exchanges: how many there are.
        read: exchanges that a dialect could read.
        secrets: values that surrogates stand for.
        digest: hex SHA-256 of the file.
    """

    run: str
    entries: tuple[Entry, ...]
    root: bytes
    exchanges: int
    read: int
    secrets: int
    digest: str


def observe_cassette(
    data: bytes,
    *,
    name: str,
    dialects: Sequence[Dialect],
    entropy: Callable[[int], bytes],
) -> ObservedRun:
    """Read a vcrpy cassette as an observed run.

    Args:
        data: the cassette's file, YAML or JSON.
        name: of the file, for the record and for errors.
        dialects: readings of provider exchanges.
        entropy: gives so many random bytes, for salts and surrogates.

    Raises:
        IntegrityError: it is no cassette, or over a limit.
        SetupError: it is in YAML and PyYAML is not installed.
        UsageError: it holds a secret that cannot be replaced.
    """
    cassette = read_cassette(data, name)
    digest = hashlib.sha256(data)
    start = next((t for t in map(claimed_time_us, cassette.interactions) if t), 0)
    # Another engine may read more of it, and makes other records: that is another run.
    reading = [VERSION, *(f"{each.name} {each.version}" for each in dialects)]
    named = hashlib.sha256(digest.digest() + "\n".join(reading).encode())
    run = new_run_id(start // 1000, named.digest()[:RUN_ID_ENTROPY_BYTES])
    chain = _Chain(_scrubber(cassette, entropy, name), entropy, start)
    chain.add(
        RunStarted(
            run=run,
            entry=f"vcrpy cassette {name}".encode("utf-8", "backslashreplace").decode(),
            arguments=(),
            directory="",
            seed="",
            flags={},
            monotonic=0,
            versions=(("ritornello", VERSION),),
            dialects=tuple((each.name, str(each.version)) for each in dialects),
            hash_seed="",
            observed=(
                ("format", f"vcrpy cassette {cassette.version}"),
                ("file", name.encode("utf-8", "backslashreplace").decode()),
                ("sha256", digest.hexdigest()),
                ("exchanges", str(len(cassette.interactions))),
            ),
        )
    )
    for secret in chain.scrubber.secrets:
        chain.add(
            SecretRegistered(
                number=secret.number,
                source=secret.source,
                surrogate=secret.surrogate,
                public=secret.public,
            )
        )
    read = sum(_exchange(chain, each, dialects) for each in cassette.interactions)
    chain.add(RunSealed(reason="completed", events=len(chain.entries) + 1))
    tree = Frontier()
    tree.extend(event_leaves([entry.raw for entry in chain.entries]))
    return ObservedRun(
        run=run,
        entries=tuple(chain.entries),
        root=tree.root(),
        exchanges=len(cassette.interactions),
        read=read,
        secrets=len(chain.scrubber.secrets),
        digest=digest.hexdigest(),
    )


def _exchange(chain: _Chain, interaction: Interaction, dialects: Sequence[Dialect]) -> bool:
    """Add the records of one exchange, as the HTTP door makes them; say whether it was read."""
    request = RequestLike(interaction)
    view = request_view(request, interaction.request_body)
    dialect = next((each for each in dialects if each.matches(view)), None)
    compared = dialect.compared_headers if dialect else None
    asked = chain.add(request_head(request, compared), interaction.request_body)
    for fact in dialect.read_request(view) if dialect else ():
        chain.add(fact)
    head, body = response_head(interaction), interaction.response_body
    chain.time = max(chain.time, claimed_time_us(interaction))
    chain.answer(asked, wire_head(request, head, None))
    chain.answer(asked, head)
    if body:
        chain.answer(asked, ChunksReceived(chunks=((len(body), chain.time),)), body)
    chain.answer(asked, ResponseEnded())
    decoded = decoded_body(head, body)
    for number in chain.scrubber.suspects(decoded) if decoded else ():
        chain.add(SecretSuspected(record=asked, number=number))
    if dialect is None:
        return False
    for fact in dialect.read_response(view, response_view(head, body, complete=True)):
        chain.add(fact)
    return True


class _Chain:
    """Makes records that follow one another.

    Args:
        scrubber: through which every payload goes.
        entropy: for the salts of parts.
        start: claimed time of the first record, in microseconds.
    """

    def __init__(self, scrubber: Scrubber, entropy: Callable[[int], bytes], start: int) -> None:
        self.scrubber = scrubber
        self.time = start
        self.entries: list[Entry] = []
        self._parts = PartTable(lambda _: entropy(SALT_BYTES))
        self._counts: dict[str, int] = {}
        # By question: its index, and how many answers it has.
        self._asked: dict[int, tuple[int, int]] = {}
        self._delivered = False

    def add(self, payload: Payload, body: bytes | None = None) -> int:
        """Add what the program did, or a note; return its seq."""
        kind = kind_of(payload)
        index = self._counts.get(kind, 0)
        self._counts[kind] = index + 1
        seq = len(self.entries)
        self._asked[seq] = (index, 0)
        self._put(payload, body, index, None, None)
        return seq

    def answer(self, asked: int, payload: Payload, body: bytes | None = None) -> None:
        """Add an answer to what an earlier record asked."""
        index, part = self._asked[asked]
        self._asked[asked] = (index, part + 1)
        self._delivered = True
        self._put(payload, body, index, asked, part)

    def _put(
        self,
        payload: Payload,
        body: bytes | None,
        index: int,
        answers: int | None,
        part: int | None,
    ) -> None:
        seq = len(self.entries)
        head = self.scrubber.scrub(encode_head(payload))
        kept = None if body is None else self.scrubber.scrub(body)
        refs, brought, commitment, size = self._parts.commit(split(head, kept))
        known = {seq - 1} if seq else set()
        header = Header(
            answers=answers,
            causes=tuple(sorted(known if answers is None else known | {answers})),
            commitment=commitment,
            index=index,
            kind=kind_of(payload),
            lamport=seq,
            media="json" if body is None else "framed",
            part=part,
            participant=0,
            seq=seq,
            size=size,
            task=0,
            time=self.time,
            trigger="delivery" if self._delivered else "start",
            v=1,
        )
        self.entries.append(
            Entry(header=header, raw=encode_header(header), parts=refs, brought=brought)
        )


def _scrubber(cassette: Cassette, entropy: Callable[[int], bytes], name: str) -> Scrubber:
    """Return what replaces every secret of a cassette.

    Raises:
        UsageError: one cannot be replaced.
    """
    scrubber = Scrubber()
    for interaction in cassette.interactions:
        for source, value in secret_values(interaction):
            if len(value) < MIN_SECRET_LENGTH or scrubber.knows(value):
                continue
            try:
                surrogate, public = make_surrogate(value, entropy, among=scrubber.secrets)
            except SecretError as error:
                if source is not None and source.startswith("header:"):
                    continue  # no header of credentials is kept, so there is nothing to replace
                raise UsageError(
                    "a secret of the cassette cannot be replaced",
                    where=f"{name}: {error.message}",
                    hint="filter it out of the cassette: filter_headers, filter_query_parameters",
                ) from None
            scrubber.add(
                Secret(
                    number=len(scrubber.secrets),
                    source=source,
                    value=value,
                    surrogate=surrogate,
                    public=public,
                )
            )
    return scrubber
