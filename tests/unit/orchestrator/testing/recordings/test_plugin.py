"""The pytest plugin: a marked test is recorded once, and replayed with nothing live after that."""

import shutil
import zipfile

import pytest

from orchestrator.testing import recorded as recorded_run
from tests.support import plugin_suite as suite

pytest_plugins = ["pytester"]

NODE = "test_tides.py::test_an_answer_has_two_words"


@pytest.fixture(scope="module", autouse=True)
def _engine(tmp_path_factory):
    """Load the engine: pytester forgets what it sees loaded, and two engines are one too many."""
    file = tmp_path_factory.mktemp("engine") / "one.ritornello"
    for _ in range(2):
        assert recorded_run(lambda: 1, file) == 1


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A suite that was recorded, each test in a process of its own."""
    directory = tmp_path_factory.mktemp("recorded")
    suite.write_suite(directory)
    done = suite.run(directory)
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("recorded recordings/test_tides/") == 3
    assert suite.lines_live(directory) == ["tide?"]
    return directory


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch):
    for name in ("CI", "BUILD_NUMBER", "PYTEST_ADDOPTS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


@pytest.fixture
def copied(recorded, pytester, monkeypatch):
    """A copy of it, elsewhere, that pytester runs without a process of its own."""
    shutil.copytree(recorded, pytester.path, dirs_exist_ok=True)
    monkeypatch.setenv("LIVE", str(pytester.path / "live.txt"))
    return pytester


def _run(pytester, *arguments):
    return pytester.runpytest_inprocess(*suite.options(), *arguments)


def _change(pytester, old, new):
    file = pytester.path / "test_tides.py"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def _bundles(directory):
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in sorted((directory / "recordings").rglob("*.ritornello"))
        if not path.is_symlink()
    }


def test_each_test_has_one_recording_whose_name_leaves_the_directory_nowhere(recorded):
    assert [path.removeprefix("recordings/test_tides/") for path in _bundles(recorded)] == [
        "TestFiles.test_written.ritornello",
        "test_an_answer_has_two_words.ritornello",
        "test_chance[..-..-..-etc-passwd]~d5800aa17efd.ritornello",
    ]


def test_a_replay_elsewhere_does_nothing_live_and_changes_no_recording(copied):
    before = _bundles(copied.path)

    result = _run(copied, "--ritornello=none", "-p", "no:randomly")

    result.assert_outcomes(passed=3)
    assert suite.lines_live(copied.path) == ["tide?"]
    assert _bundles(copied.path) == before


@pytest.mark.sample(2)
@pytest.mark.parametrize(
    "options",
    [
        ("-s",),
        pytest.param(("--capture=sys",), marks=pytest.mark.full),
        pytest.param(("-p", "no:logging"), marks=pytest.mark.full),
        ("--log-level=DEBUG", "-o", "log_cli=true"),
        pytest.param(("--import-mode=importlib", "-W", "error"), marks=pytest.mark.full),
        pytest.param(("-vv", "--tb=short", "--full-trace"), marks=pytest.mark.full),
    ],
    ids=" ".join,
)
def test_how_pytest_is_started_is_no_part_of_a_recording(copied, options):
    only = () if "no:logging" not in options else ("-k", "not written")

    result = _run(copied, "--ritornello=none", *options, *only)

    result.assert_outcomes(passed=2 if only else 3, deselected=1 if only else 0)


@pytest.mark.full
def test_tests_replay_alone_and_in_any_order(copied):
    alone = _run(copied, "--ritornello=none", "test_tides.py::TestFiles")
    turned = _run(copied, "--ritornello=none", "test_tides.py::TestFiles", NODE)

    alone.assert_outcomes(passed=1)
    turned.assert_outcomes(passed=2)


def test_a_secret_is_in_no_recording(recorded):
    key = suite.SECRET.encode()
    for path in (recorded / "recordings").rglob("*.ritornello"):
        with zipfile.ZipFile(path) as bundle:
            whole = b"".join(bundle.read(name) for name in bundle.namelist())
        assert b"test_tides.py" in whole
        assert key[-20:] not in whole
        assert key[-20:] not in path.read_bytes()


def test_a_change_fails_with_the_place_the_field_and_the_commands(copied):
    _change(copied, 'ask("tide?")', 'ask("tide? now")')

    result = _run(copied, "--ritornello=none", NODE)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            f"ritornello: diverged: the replay of {NODE} is not what was recorded",
            "  prompt: so the name of the field says, which is a guess",
            "  event *: expected EffectStarted, replay gave EffectStarted (changed)",
            "  replayed at *test_tides.py:* test_an_answer_has_two_words",
            "  field *",
            "    recorded *tide?*",
            "    replayed *tide? now*",
            "  look at it:   ritornello show recordings/test_tides/test_an_answer*",
            "                ritornello events recordings/test_tides/test_an_answer*",
            f"  replay it:    pytest --ritornello=none {NODE}",
            f"  * record it anew: pytest --ritornello=rewrite {NODE}",
        ]
    )
    assert len(result.stdout.lines) < 40
    assert suite.lines_live(copied.path) == ["tide?"]


def test_a_failing_assertion_reads_as_any_other(copied):
    _change(copied, "== 2", "== 3")

    result = _run(copied, "--ritornello=none", NODE)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E * assert 2 == 3", "in a replay of recordings/*"])


def test_a_missing_recording_fails_in_ci_and_names_the_command(copied, monkeypatch):
    monkeypatch.setenv("CI", "true")
    shutil.rmtree(copied.path / "recordings")

    result = _run(copied, NODE)

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"  record it: pytest --ritornello=once {NODE}"])
    assert suite.lines_live(copied.path) == ["tide?"]


def test_a_test_that_fails_while_it_is_recorded_leaves_the_old_recording(copied):
    _change(copied, "== 2", "== 3")
    before = _bundles(copied.path)

    result = _run(copied, "--ritornello=rewrite", NODE)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E * assert 2 == 3", "failed, so the recording is not kept*"])
    assert _bundles(copied.path) == before
    assert [path.name for path in (copied.path / ".ritornello").rglob("*.ritornello")] == [
        "test_tides.test_an_answer_has_two_words.ritornello"
    ]


@pytest.mark.full
def test_new_records_what_differs_and_leaves_the_rest(copied):
    _change(copied, 'ask("tide?")', 'ask("tide? now")')
    _change(copied, "== 2", "== 3")
    before = _bundles(copied.path)

    result = _run(copied, "--ritornello=new")

    after = _bundles(copied.path)
    result.assert_outcomes(passed=3)
    assert [path for path in after if after[path] != before[path]] == [
        "recordings/test_tides/test_an_answer_has_two_words.ritornello"
    ]
    assert suite.lines_live(copied.path) == ["tide?", "tide? now"]


def test_off_runs_live_and_records_nothing(copied):
    shutil.rmtree(copied.path / "recordings")

    result = _run(copied, "--ritornello=off")

    result.assert_outcomes(passed=3)
    assert suite.lines_live(copied.path) == ["tide?", "tide?"]
    assert not (copied.path / "recordings").exists()


def test_a_damaged_recording_is_refused_and_kept(copied):
    path = copied.path / "recordings/test_tides/test_an_answer_has_two_words.ritornello"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    before = _bundles(copied.path)

    result = _run(copied, NODE)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*cannot be replayed", "  bundle: *"])
    assert _bundles(copied.path) == before


@pytest.mark.full
def test_unused_recordings_are_named_and_pruned_only_where_everything_was_selected(copied):
    home = copied.path / "recordings" / "test_tides"
    stale = home / "test_gone.ritornello"
    shutil.copy(home / "test_an_answer_has_two_words.ritornello", stale)
    foreign = home / "not_ours.ritornello"
    foreign.write_bytes(b"something")
    link = home / "link.ritornello"
    link.symlink_to(stale)

    part = _run(copied, "--ritornello-prune", NODE)
    chosen = _run(copied, "--ritornello-prune", "-k", "answer")
    named = _run(copied)
    part.stdout.no_fnmatch_line("*test_gone*")
    chosen.stdout.no_fnmatch_line("*test_gone*")
    named.stdout.fnmatch_lines(["unused: *test_gone.ritornello", "delete unused recordings: *"])
    assert stale.exists()

    pruned = _run(copied, "--ritornello-prune")
    pruned.stdout.fnmatch_lines(["deleted, no test used it: *test_gone.ritornello"])
    pruned.stdout.fnmatch_lines(["what is left is not the recording of a test*"])
    assert not stale.exists()
    assert foreign.exists()
    assert link.is_symlink()
    assert len(_bundles(copied.path)) == 4  # three, and what is not ours


def test_a_module_that_could_not_be_collected_has_no_unused_recordings(copied):
    _change(copied, "import logging\n", "import logging, no_such_module\n")

    result = _run(copied, "--ritornello-prune")

    result.assert_outcomes(errors=1)
    assert len(_bundles(copied.path)) == 3


@pytest.mark.parametrize(
    ("mark", "body", "expected"),
    [
        ("ritornello(name='../x')", "def test_a(): pass", "*'../x' is no plain name*"),
        ("ritornello('x')", "def test_a(): pass", "*takes no argument without a name*"),
        ("ritornello(nam='x')", "def test_a(): pass", "*takes no nam*"),
        ("ritornello(mode='x')", "def test_a(): pass", "*'x' is no mode*"),
    ],
)
def test_a_mark_that_says_what_there_is_not_is_refused(pytester, mark, body, expected):
    pytester.makepyfile(f"import pytest\n@pytest.mark.{mark}\n{body}\n")

    result = _run(pytester)

    result.stdout.fnmatch_lines([expected]) if result.ret == 1 else result.stderr.fnmatch_lines(
        [expected]
    )
    assert result.ret != 0


def test_what_cannot_be_recorded_says_so_and_is_not_run(pytester):
    pytester.makepyfile(
        """
        import unittest, pytest
        from hypothesis import given, strategies as st

        class TestOld(unittest.TestCase):
            @pytest.mark.ritornello
            def test_a(self):
                print("was run")

        @pytest.mark.ritornello
        @given(st.integers())
        def test_b(n):
            print("was run")

        def test_c(ritornello):
            print("was run")
        """
    )

    result = _run(pytester, "-s", "-p", "no:hypothesispytest")

    result.assert_outcomes(errors=3)
    result.stdout.fnmatch_lines(["*without @pytest.mark.ritornello*"])
    result.stdout.no_fnmatch_line("was run")


def test_two_tests_that_would_share_a_recording_are_refused(pytester):
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.ritornello(name="one")
        def test_a(): pass

        @pytest.mark.ritornello(name="One")
        def test_b(): pass
        """
    )

    result = _run(pytester)

    result.stderr.fnmatch_lines(["*would share the recording*"])


def test_a_skipped_test_is_skipped_without_a_recording(pytester, monkeypatch):
    monkeypatch.setenv("CI", "1")
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.ritornello
        @pytest.mark.skipif(True, reason="not here")
        def test_a(): pass
        """
    )

    _run(pytester).assert_outcomes(skipped=1)


def test_unmarked_tests_pay_nothing_and_import_nothing_of_the_engine(pytester):
    pytester.makepyfile(
        """
        import sys

        def test_a():
            ours = ("replay", "orchestrator", "attestations", "msgspec", "duckdb", "blake3")
            assert sorted(
                name for name in sys.modules if name.partition(".")[0] in ours
            ) == [
                "orchestrator",
                "orchestrator.testing",
                "orchestrator.testing.recordings",
                "orchestrator.testing.recordings.at_start",
                "orchestrator.testing.recordings.items",
                "orchestrator.testing.recordings.modes",
                "orchestrator.testing.recordings.names",
                "orchestrator.testing.recordings.plugin",
                "orchestrator.testing.recordings.prepared",
                "orchestrator.testing.recordings.process",
                "orchestrator.testing.recordings.texts",
                "orchestrator.testing.recordings.unused",
                "orchestrator.testing.recordings.vcr_marks",
            ]
        """
    )

    done = suite.run(pytester.path)

    assert done.returncode == 0, done.stdout
    assert "ritornello" not in done.stdout
    assert not (pytester.path / ".ritornello").exists()
