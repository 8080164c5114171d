"""What kept a program from being loaded is told from what it did."""

from __future__ import annotations

import pytest

from replay.session.ending import unloadable_by


def raised(action):
    with pytest.raises(BaseException) as caught:
        action()
    return caught.value


def test_a_file_that_is_no_python_and_a_failed_import_are_named():
    error = raised(lambda: compile("def (", "agent.py", "exec"))

    assert unloadable_by(error) == "SyntaxError in agent.py, line 1"
    assert "no_such" in unloadable_by(raised(lambda: __import__("no_such_module_here")))


def test_text_that_a_program_compiles_itself_and_other_failures_are_what_it_did():
    assert unloadable_by(raised(lambda: compile("def (", "<string>", "exec"))) is None
    assert unloadable_by(raised(lambda: compile("def (", "<unknown>", "exec"))) is None
    assert unloadable_by(raised(lambda: 1 / 0)) is None
    assert unloadable_by(raised(lambda: int("x"))) is None
