"""What a program finds without asking: arguments, local time zone, codings of its streams.

C code and plain attributes hold these, so no door stands there. They are noted when a run starts
and put in force around it. The one invariant: while recording, what is put in force is what is
there already. They come from a record, which is hostile, so each is checked before it is used.
"""

from __future__ import annotations

import _locale
import base64
import binascii
import codecs
import contextlib
import locale
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from replay.doors.surroundings.answering import KEPT, Value
from replay.doors.surroundings.process import DIRECTORY
from replay.doors.surroundings.zones import applied_zone, checked_zone, local_zone
from replay.errors import IntegrityError, SetupError

__all__ = ["DEFAULT_CODING", "Setting", "present_setting"]

#: Name and error handler of a stream whose coding is not on record.
DEFAULT_CODING: Final = "utf-8 surrogateescape"
_PID: Final = KEPT + "pid"
_CPU_COUNT: Final = KEPT + "cpu_count"
_STREAMS: Final = ("stdin", "stdout", "stderr")
_CODING: Final = re.compile(r"[A-Za-z0-9_.:-]{1,40} [a-z]{1,20}")
_TZIF: Final = "TZif:"
_LOCALE: Final = re.compile(r"[A-Za-z0-9_.@-]{1,80}")


@dataclass(frozen=True, slots=True)
class Setting:
    """The setting of a run.

    Args:
        argv: `sys.argv`; empty leaves what is there.
        facts: The rest by name, as the first record holds it; what is missing stays as it is.
    """

    argv: tuple[str, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)

    def coding(self, stream: str) -> tuple[str, str]:
        """Returns encoding and error handler of a standard stream.

        Raises:
            IntegrityError: It is none that this interpreter has.
        """
        coding = self.facts.get(stream) or DEFAULT_CODING
        if _CODING.fullmatch(coding) is None:
            raise _refused(stream)
        encoding, errors = coding.split(" ")
        try:
            codecs.lookup_error(errors)
            "".encode(encoding)
        except LookupError:
            raise _refused(stream) from None
        return encoding, errors

    def known(self) -> dict[tuple[str, str], Value]:
        """Returns answers that need no reading, by source and argument.

        They are what libraries ask as they are imported, so that another version of one, or a
        library that the process has already, shifts no reading.
        """
        found: dict[tuple[str, str], Value] = {}
        for source in (_PID, _CPU_COUNT):
            text = self.facts.get(source, "")
            if text.isdecimal() and len(text) < 10:
                found[source, ""] = int(text)
        if DIRECTORY in self.facts:
            found[DIRECTORY, ""] = self.facts[DIRECTORY]
        return found

    @contextmanager
    def in_force(self, *, shared: bool) -> Iterator[None]:
        """Puts the setting in force, process-wide, and what was there back at the end.

        Args:
            shared: Whether other runs may be on stage: then the process stays as it is.

        Raises:
            IntegrityError: The record holds what no recorder writes.
            SetupError: Text files would be read in another encoding, and that cannot be changed.
        """
        if shared:
            yield
            return
        with ExitStack() as stack:
            stack.callback(_locale.setlocale, locale.LC_ALL, _locale.setlocale(locale.LC_ALL))
            if self.argv:
                stack.callback(sys.argv.__setitem__, slice(None), sys.argv[:])
                sys.argv[:] = self.argv
            stack.enter_context(applied_zone(self._zone()))
            self._read_text_alike()
            yield

    def _zone(self) -> bytes | None:
        text = self.facts.get("zone")
        if text is None:
            return None
        try:
            if text.startswith(_TZIF):
                return checked_zone(base64.b64decode(text.removeprefix(_TZIF), validate=True))
            return checked_zone(text.encode("ascii"))
        except (binascii.Error, UnicodeEncodeError):
            raise _refused("zone") from None

    def _read_text_alike(self) -> None:
        """Sees to it that files are opened in the recorded encoding, unless they name one."""
        wanted, name = self.facts.get("text"), self.facts.get("locale")
        if wanted is None or name is None or _same(wanted, _text_encoding()):
            return
        if _LOCALE.fullmatch(name) is None:
            raise _refused("locale")
        if not sys.flags.utf8_mode:
            try:
                _locale.setlocale(locale.LC_CTYPE, name)
            except locale.Error:
                pass
            else:
                if _same(wanted, _text_encoding()):
                    return
        raise SetupError(
            "text files would be read in another encoding than when this was recorded",
            hint=f"replay it under LC_ALL={name}, or with PYTHONUTF8=1 if that was set",
        )


def present_setting() -> Setting:
    """Returns the setting of this process, to be recorded."""
    zone = local_zone()
    is_file = zone.startswith(b"TZif")
    facts = {
        _PID: str(os.getpid()),
        _CPU_COUNT: str(os.cpu_count() or 0),
        "locale": _locale.setlocale(locale.LC_CTYPE),
        "text": _text_encoding(),
        "zone": f"{_TZIF}{base64.b64encode(zone).decode()}" if is_file else zone.decode("ascii"),
    }
    for name in _STREAMS:
        stream = getattr(sys, name)
        encoding = getattr(stream, "encoding", None)
        errors = getattr(stream, "errors", None)
        coding = f"{encoding} {errors}" if encoding and errors else DEFAULT_CODING
        facts[name] = coding if _CODING.fullmatch(coding) else DEFAULT_CODING
    with contextlib.suppress(FileNotFoundError, UnicodeEncodeError):
        here = str(Path.cwd())
        here.encode()  # bytes that are no text are asked for, as their reading can hold them
        facts[DIRECTORY] = here
    plain = (text.encode("utf-8", "backslashreplace").decode() for text in sys.argv)
    return Setting(tuple(plain), facts)


def _text_encoding() -> str:
    return "utf-8" if sys.flags.utf8_mode else locale.getencoding()


def _same(one: str, other: str) -> bool:
    try:
        return codecs.lookup(one).name == codecs.lookup(other).name
    except LookupError:
        return False


def _refused(what: str) -> IntegrityError:
    return IntegrityError(
        f"the {what} of the run is not one that a recorder writes",
        where="event 0",
        hint="the record is damaged, or was written by another version",
    )
