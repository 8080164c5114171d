"""What a program finds without asking: noted, checked, put in force, and put back."""

import io
import locale
import os
import sys
from pathlib import Path

import pytest

from replay.doors.surroundings.setting import DEFAULT_CODING, Setting, present_setting
from replay.errors import IntegrityError, SetupError


def test_the_present_setting_changes_nothing():
    present = present_setting()
    before = list(sys.argv), locale.setlocale(locale.LC_ALL)

    with present.in_force(shared=False):
        assert (list(sys.argv), locale.setlocale(locale.LC_ALL)) == before

    assert set(present.facts) == {
        *("process.cpu_count", "process.directory", "process.pid"),
        *("locale", "stderr", "stdin", "stdout", "text", "zone"),
    }


def test_the_recorded_arguments_stand_in_the_same_list_and_go_again():
    here, before = sys.argv, list(sys.argv)

    with Setting(("recorded", "x")).in_force(shared=False):
        assert sys.argv is here
        assert sys.argv == ["recorded", "x"]
        sys.argv.append("by the program")

    assert sys.argv is here
    assert sys.argv == before


def test_beside_other_runs_the_process_is_left_alone():
    before = list(sys.argv)

    with Setting(("recorded",), {"zone": "JST-9"}).in_force(shared=True):
        assert sys.argv == before


def test_a_locale_that_the_program_sets_is_gone_afterwards():
    before = locale.setlocale(locale.LC_ALL)

    with Setting().in_force(shared=False):
        locale.setlocale(locale.LC_ALL, "C")

    assert locale.setlocale(locale.LC_ALL) == before


def test_text_of_another_encoding_is_refused_with_what_to_try():
    setting = Setting((), {"locale": "xx_XX.ISO-8859-15", "text": "iso8859-15"})

    with (
        pytest.raises(SetupError, match="another encoding") as error,
        setting.in_force(shared=False),
    ):
        pass

    assert "LC_ALL=xx_XX.ISO-8859-15" in (error.value.hint or "")


@pytest.mark.parametrize(
    "facts",
    [
        {"zone": "TZif:not base64"},
        {"zone": "TZif:AAAA"},
        {"zone": "/etc/passwd"},
        {"zone": "\u00fc-9"},
        {"locale": "a\n", "text": "iso8859-15"},
    ],
)
def test_a_hostile_setting_is_refused(facts):
    with pytest.raises(IntegrityError), Setting((), facts).in_force(shared=False):
        pass


def test_what_libraries_ask_as_they_are_imported_is_known():
    known = present_setting().known()

    assert known["process.pid", ""] == os.getpid()
    assert known["process.directory", ""] == str(Path.cwd())
    assert Setting((), {"process.pid": "-1", "process.cpu_count": "9" * 99}).known() == {}


@pytest.mark.parametrize(
    "coding", ["utf-8", "no-such strict", "utf-8 no-such", "../x strict", "zlib strict", " "]
)
def test_a_hostile_coding_is_refused(coding):
    with pytest.raises(IntegrityError):
        Setting((), {"stdout": coding}).coding("stdout")


def test_a_stream_without_a_coding_has_the_default(monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.StringIO())

    assert present_setting().facts["stdout"] == DEFAULT_CODING
    assert Setting().coding("stdin") == ("utf-8", "surrogateescape")
