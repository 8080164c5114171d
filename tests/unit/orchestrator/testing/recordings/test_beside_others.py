"""The pytest plugin beside other plugins, SDKs and frameworks, in processes of their own."""

import socket
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest

from tests.support import plugin_suite as suite

pytestmark = [pytest.mark.full, pytest.mark.timeout(600)]

ASYNC = """
import asyncio
import random

import pytest


@pytest.fixture
async def number():
    await asyncio.sleep(0)
    return 3


@pytest.mark.ritornello
{mark}
async def test_marked(number):
    print(random.random(), asyncio.get_running_loop().time())
    await asyncio.sleep(5)
    assert number == 3


{mark}
async def test_not_marked(number):
    assert number == 3
"""

SDK = """
import os
import random

import pytest

from orchestrator.testing import ScriptedProvider


@pytest.fixture(scope="module")
def provider():
    with ScriptedProvider(mode="wild") as provider:
        yield provider
        print("requests", len(provider.requests))


@pytest.fixture
def agreed():
    with ScriptedProvider(mode="wild", port=int(os.environ["PORT"])) as provider:
        yield {"base_url": provider.base_url, "api_key": "sk-ant-api03-" + "Zq7" * 12}


@pytest.fixture
def arguments(provider):
    return {"base_url": provider.base_url, "api_key": "sk-ant-api03-" + "Zq7" * 12}


@pytest.mark.ritornello
async def test_asynchronous(arguments):
    import anthropic

    async with anthropic.AsyncAnthropic(**arguments) as client:
        async with client.messages.stream(
            model="m", max_tokens=50, messages=[{"role": "user", "content": str(random.random())}]
        ) as stream:
            async for text in stream.text_stream:
                print(text)


@pytest.mark.ritornello
@pytest.mark.parametrize("question", ["tide?", "wind?"])
def test_synchronous(arguments, question):
    import anthropic

    with anthropic.Anthropic(**arguments) as client:
        message = client.messages.create(
            model="m", max_tokens=50, messages=[{"role": "user", "content": question}]
        )
    print(message.content)
    assert message.id


@pytest.mark.ritornello
async def test_agent(agreed):
    from pydantic_ai import Agent
    from pydantic_ai.models.anthropic import AnthropicModel
    from pydantic_ai.providers.anthropic import AnthropicProvider

    agent = Agent(AnthropicModel("m", provider=AnthropicProvider(**agreed)))
    print((await agent.run("tide?")).output)
"""

STATE = """
import functools
import os
import random
import socket

import pytest


OUT = os.environ.get("OUT")


@functools.cache
def found_once():
    return os.environ.get("HOME"), random.random()


@pytest.mark.ritornello
@pytest.mark.parametrize("number", [1, 2, 3])
def test_what_a_process_finds_once(number):
    print(found_once())


@pytest.mark.ritornello
def test_the_order_of_a_set():
    print({str(number) for number in range(20)})


@pytest.mark.ritornello
def test_a_way_out(ritornello):
    if ritornello.is_replayed and OUT:
        socket.create_connection(("127.0.0.1", 9))
"""


def _again(directory, *arguments, **more):
    return suite.run(directory, "--ritornello=none", *arguments, **more)


def _count(done, **expected):
    last = done.stdout.splitlines()[-1]
    assert all(f"{count} {what}" in last for what, count in expected.items()), done.stdout


@pytest.mark.parametrize(
    ("mark", "options"),
    [
        ("@pytest.mark.asyncio", ("-p", "pytest_asyncio.plugin")),
        ("", ("-p", "pytest_asyncio.plugin", "--asyncio-mode=auto")),
        ("@pytest.mark.anyio", ("-p", "anyio.pytest_plugin")),
    ],
    ids=["asyncio-strict", "asyncio-auto", "anyio"],
)
def test_a_test_that_another_plugin_would_run_is_run_by_us(tmp_path, mark, options):
    text = ASYNC.format(mark=mark)
    if mark == "@pytest.mark.asyncio":
        text = text.replace("@pytest.fixture\n", "import pytest_asyncio\n@pytest_asyncio.fixture\n")
    if "anyio" in mark:
        text += "\n\n@pytest.fixture\ndef anyio_backend():\n    return 'asyncio'\n"
    (tmp_path / "test_a.py").write_text(text)
    ini = "[pytest]\nasyncio_default_fixture_loop_scope=function\n" if "anyio" not in mark else ""
    (tmp_path / "pytest.ini").write_text(ini or "[pytest]\n")

    _count(suite.run(tmp_path, *options), passed=2)
    _count(_again(tmp_path, *options), passed=2)


def test_trio_is_refused_by_name(tmp_path):
    (tmp_path / "test_a.py").write_text(
        "import pytest\n\n\n@pytest.mark.ritornello\n@pytest.mark.anyio\n"
        "@pytest.mark.parametrize('anyio_backend', ['trio'])\n"
        "async def test_a(anyio_backend):\n    pass\n"
    )

    done = suite.run(tmp_path, "-p", "anyio.pytest_plugin")

    assert "runs on trio; a run has asyncio's loop" in done.stdout


def test_real_sdks_and_frameworks_replay_without_their_provider(tmp_path):
    (tmp_path / "test_a.py").write_text(SDK)

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])  # an agent's messages name their provider's address
    live = suite.run(tmp_path, PORT=port)
    _count(live, passed=4)
    together = _again(tmp_path, "-rA", PORT=port)
    _count(together, passed=4)
    for node in ("test_a.py::test_synchronous", "test_a.py::test_agent"):
        assert _again(tmp_path, node, PORT=port).returncode == 0
    assert "requests 0" in together.stdout
    assert "requests 1" not in together.stdout


def test_what_a_process_keeps_is_no_difference_in_any_order(tmp_path):
    (tmp_path / "test_a.py").write_text(STATE)
    (tmp_path / "conftest.py").write_text(
        "def pytest_collection_modifyitems(items):\n    import os\n"
        "    items.reverse() if os.environ.get('TURN') else None\n"
    )

    _count(suite.run(tmp_path), passed=5)
    _count(_again(tmp_path), passed=5)
    _count(_again(tmp_path, TURN="1", PYTHONHASHSEED="7"), passed=5)
    _count(_again(tmp_path, "-k", "2"), passed=1)


def test_a_socket_in_a_replay_is_refused_by_name(tmp_path):
    (tmp_path / "test_a.py").write_text(STATE)
    node = "test_a.py::test_a_way_out"
    assert suite.run(tmp_path, node).returncode == 0

    done = _again(tmp_path, node, OUT="1")

    _count(done, failed=1)
    assert f"ritornello: refused: the replay of {node} is not what was recorded" in done.stdout
    assert "nothing leaves the process during a replay" in done.stdout


def test_workers_record_and_replay_side_by_side_and_report_once(tmp_path):
    suite.write_suite(tmp_path)
    xdist = ("-p", "xdist.plugin", "-n", "2")

    live = suite.run(tmp_path, *xdist)
    stale = tmp_path / "recordings" / "test_tides" / "test_gone.ritornello"
    stale.write_bytes((stale.parent / "test_an_answer_has_two_words.ritornello").read_bytes())
    again = _again(tmp_path, *xdist)
    each = suite.run(tmp_path, *xdist, "--dist=each", "--ritornello=rewrite")
    pruned = _again(tmp_path, *xdist, "--ritornello-prune")

    _count(live, passed=3)
    assert live.stdout.count("recorded recordings/") == 3
    _count(again, passed=3)
    assert again.stdout.count("unused: ") == 1
    _count(each, passed=6)
    _count(pruned, passed=3)
    assert pruned.stdout.count("deleted, no test used it: ") == 1
    assert suite.lines_live(tmp_path) == ["tide?"] * 3


def test_coverage_time_outs_junit_and_the_cache_are_served(tmp_path):
    suite.write_suite(tmp_path)
    options = ("-p", "pytest_cov.plugin", "--cov=.", "--cov-report=term", "-p", "pytest_timeout")
    file = tmp_path / "junit.xml"

    live = suite.run(tmp_path, *options, "--timeout=100", f"--junitxml={file}")
    again = _again(tmp_path, *options, "--timeout=100", f"--junitxml={file}", "-p", "cacheprovider")

    _count(live, passed=3)
    _count(again, passed=3)
    assert "test_tides.py" in again.stdout
    cases = ET.parse(file).getroot().iter("testcase")
    assert {
        each.get("value")
        for case in cases
        for each in case.iter("property")
        if each.get("name") == "ritornello.verdict"
    } == {"identical"}


def test_a_test_that_never_ends_is_stopped_and_what_follows_is_run(tmp_path):
    (tmp_path / "test_a.py").write_text(
        "import pytest\n\n\n@pytest.mark.ritornello\ndef test_a():\n    while True:\n        pass\n"
        "\n\n@pytest.mark.ritornello\ndef test_b():\n    print(1)\n"
    )

    done = suite.run(tmp_path, "-p", "pytest_timeout", "--timeout=6")

    _count(done, failed=1, passed=1)
    assert "Timeout" in done.stdout


def test_options_of_other_recorders_do_not_collide(tmp_path):
    suite.write_suite(tmp_path)
    (tmp_path / "conftest.py").write_text(
        "def pytest_addoption(parser):\n"
        "    for name in ('--record-mode', '--block-network', '--disable-recording', '--model'):\n"
        "        parser.addoption(name, default='none')\n"
    )

    done = suite.run(tmp_path, "--record-mode=none", "--model=x")

    _count(done, passed=3)


def test_a_project_that_is_entered_elsewhere_replays(tmp_path):
    suite.write_suite(tmp_path)
    _count(suite.run(tmp_path), passed=3)
    below = tmp_path / "below"
    below.mkdir()

    done = suite.run(below, "--ritornello=none", "..", LIVE=str(tmp_path / "live.txt"))

    _count(done, passed=3)


def test_the_command_says_who_replays_a_test(tmp_path):
    (tmp_path / "test_a.py").write_text(
        "import pytest\n\n\n@pytest.mark.ritornello\ndef test_a():\n    print(1)\n"
    )
    assert suite.run(tmp_path).returncode == 0
    bundle = "recordings/test_a/test_a.ritornello"

    replayed, shown = (
        subprocess.run(
            [sys.executable, "-m", "orchestrator.cli", verb, bundle],
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        for verb in ("replay", "verify")
    )

    assert replayed.returncode == 2
    assert "pytest --ritornello=none test_a.py::test_a" in replayed.stderr
    assert shown.returncode == 0
