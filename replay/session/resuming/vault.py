"""The secrets of a run that goes on: the program holds surrogates, the wire gets the values.

The one invariant: a value goes only where the record shows that it went, or where whoever resumes
the run lets it go; and what comes back is scrubbed before the program sees it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from replay.errors import NotFoundError, ResumeError
from replay.files.content import FILE_BYTES_MAX
from replay.scheduler.engine_side import EngineSide
from replay.scheduler.ports import Halted
from replay.secrets.credentials import ANSWERED
from replay.secrets.deltas import DeltaScrubber
from replay.secrets.patterns import SecretError, find_secret_values
from replay.secrets.scrub import Scrubber
from replay.session.environment_secrets import secrets_of_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from replay.events.kinds import SecretRegistered
    from replay.recording.in_flight import InFlight
    from replay.recording.recorder import Recorder
    from replay.secrets.patterns import Secret

__all__ = ["SecretVault"]

_ENVIRONMENT: Final = "env:"
_FILE: Final = "file:"
_FETCHED: Final = "secret:"


class SecretVault:
    """See the module docstring.

    Args:
        recorder: of the run; its scrubber knows the secrets.
        secret_to: hosts that may get secrets which they did not get before.

    Attributes:
        believes: whether what the record shows counts: one that came from elsewhere is a claim.
        refusal: what a secret for a new host is refused with.
    """

    def __init__(self, recorder: Recorder, secret_to: frozenset[str]) -> None:
        self._recorder = recorder
        self.believes = True
        self.refusal: type[ResumeError] = ResumeError
        self._secret_to = secret_to
        self._loads: dict[str, Callable[[], str]] = {}
        #: (number of the secret, scheme, host) that the record shows.
        self._went: set[tuple[int, str, str]] = set()
        self._detectors: dict[int, Scrubber] = {}
        self._environment: dict[str, list[str]] = {}
        for name, value in secrets_of_environment():
            self._environment.setdefault(name, []).append(value)
        #: Why a value that is there cannot be used.
        self._unfit: dict[int, str] = {}

    # --- values -------------------------------------------------------------------------------

    def register(self, registered: SecretRegistered) -> None:
        """Know a surrogate from the record, with its value if that is there."""
        recorder = self._recorder
        recorder.register_surrogate(registered)
        self._find(recorder.scrubber.secrets[-1], fetch=False)

    def unnamed(self) -> list[tuple[str, str]]:
        """Return source and value of the environment's secrets that are not registered."""
        known = {secret.source for secret in self._recorder.scrubber.secrets}
        return [
            (_ENVIRONMENT + name, value)
            for name, values in self._environment.items()
            for value in values
            if _ENVIRONMENT + name not in known
        ]

    def load_with(self, source: str, load: Callable[[], str]) -> None:
        """Keep what fetches a secret's value; called only when it has to go out."""
        self._loads[source] = load

    def check(self, flights: list[InFlight]) -> None:
        """See to it that what was on the wire before can go out again.

        Raises:
            NotFoundError: a value is not there.
            ResumeError: it would go to a host that did not have it.
        """
        for number in sorted({number for number, _, _ in self._went}):
            if not self._is_of_answer(number):
                self._need(number)
        for flight in flights:
            self._allow(flight)

    def put_in(self, flight: InFlight) -> None:
        """Put values for surrogates into what goes out.

        Raises:
            Halted: a value is not there, or may not go there.
        """
        if flight.destination is None or not self._recorder.scrubbing:
            return
        scheduler = self._recorder.scheduler
        with EngineSide(scheduler):
            try:
                if self._allow(flight):
                    flight.rewrite(self._recorder.scrubber.restore)
            except (NotFoundError, ResumeError) as error:
                scheduler.halt(error)
                raise Halted from error

    def _need(self, number: int) -> None:
        secret = self._secret(number)
        if secret.value is None:
            self._find(secret, fetch=True)
            secret = self._secret(number)
        if secret.value is None:
            source = secret.source or "a secret"
            why = self._unfit.get(number, "is not set")
            raise NotFoundError(
                f"the value of {source.removeprefix(_ENVIRONMENT)} {why}",
                where=source,
                hint="set it as it was when the run began, and try again",
            )

    def _is_of_answer(self, number: int) -> bool:
        """Whether a server gave it to the program, to go wherever the program takes it.

        Its value is known if it came after the run went live; needed only if it goes out.
        """
        return (self._secret(number).source or "").startswith(ANSWERED)

    def _secret(self, number: int) -> Secret:
        return next(s for s in self._recorder.scrubber.secrets if s.number == number)

    def _find(self, secret: Secret, *, fetch: bool) -> None:
        for value in self._values(secret.source or "", fetch=fetch):
            try:
                known = msgspec.structs.replace(secret, value=value)
                self._recorder.scrubber.learn(known)
            except SecretError:
                self._unfit[secret.number] = "has another length or form than it had"
            else:
                return

    def _values(self, source: str, *, fetch: bool) -> Iterator[str]:
        """Yield what a source holds now."""
        if source.startswith(_ENVIRONMENT):
            yield from self._environment.get(source.removeprefix(_ENVIRONMENT), ())
        elif source.startswith(_FILE):
            path = Path(source.removeprefix(_FILE))
            try:
                content = path.read_bytes() if path.stat().st_size <= FILE_BYTES_MAX else b""
            except OSError:
                return
            for start, end in find_secret_values(content):
                yield content[start:end].decode("ascii", "replace")
        elif fetch and source.startswith(_FETCHED) and source in self._loads:
            yield self._loads[source]()

    # --- where they go ------------------------------------------------------------------------

    def learn(self, carried: bytes, scheme: str, host: str) -> None:
        """Take note that the secrets in a request went to a host."""
        if self.believes and self._recorder.scrubbing:
            self._went.update((number, scheme, host) for number in self._carried(carried))

    def _allow(self, flight: InFlight) -> bool:
        """Return whether a request carries secrets that may go where it goes."""
        destination = flight.destination
        if destination is None:
            return False
        scheme, host = destination
        numbers = self._carried(flight.carried)
        for number in numbers:
            named = {host, host.rpartition(":")[0]} & self._secret_to
            known = (number, scheme, host) in self._went or self._is_of_answer(number)
            if not known and not named:
                source = self._secret(number).source or "a secret"
                raise self.refusal(
                    f"{source} would go to {scheme}://{host}, and the record does not show that it"
                    " went there",
                    where=flight.label,
                    hint=f"if it may: --secret-to {host}",
                )
            self._need(number)
        return bool(numbers)

    def _carried(self, data: bytes) -> list[int]:
        """Return the numbers of the secrets whose surrogates stand in what goes out."""
        return [
            secret.number
            for secret in self._recorder.scrubber.secrets
            if self._detector(secret).suspects(data)
        ]

    def _detector(self, secret: Secret) -> Scrubber:
        found = self._detectors.get(secret.number)
        if found is None:
            # It looks for a surrogate as for any value: in every spelling.
            itself = msgspec.structs.replace(secret, value=secret.surrogate)
            found = self._detectors[secret.number] = Scrubber((itself,))
        return found

    # --- what the program sees ----------------------------------------------------------------

    def scrub_again(self) -> Callable[[bytes], bytes]:
        """Return what puts surrogates into one body that comes piece by piece."""
        return DeltaScrubber(self._recorder.scrubber).feed

    def variable(self, name: str, value: str | None) -> str | None:
        """Return what the program finds in a variable of the environment.

        The secrets of the environment that the run began in are on record; a variable that holds
        one and is not among them was not there.
        """
        scrubber = self._recorder.scrubber
        known = [s for s in scrubber.secrets if s.source == _ENVIRONMENT + name]
        for secret in known:
            if value is None or secret.value is None:
                return secret.surrogate
        if value is None or (name in self._environment and not known):
            return None
        raw = value.encode("utf-8", "surrogateescape")
        return scrubber.scrub(raw).decode("utf-8", "surrogateescape")

    def names(self, names: list[str]) -> list[str]:
        """Return the names of the variables that the program finds."""
        known = {secret.source for secret in self._recorder.scrubber.secrets}
        return [n for n in names if n not in self._environment or _ENVIRONMENT + n in known]
