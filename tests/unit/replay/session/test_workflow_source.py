"""A file that cannot have the workflow is refused by its text, before it runs."""

from __future__ import annotations

import pytest

from replay.errors import NotFoundError
from replay.session.workflow_source import require_workflow


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("async def main(): ...", ""),
        ("async def main(): ...", "main"),
        ("if True:\n    async def main(): ...", ""),
        ("@replay.workflow\nasync def review(): ...", ""),
        ("from elsewhere import main", ""),
        ("from elsewhere import *", "review"),
        ("import flows as review", "review.one"),
        ("main = made()", ""),
        ("@something\ndef main(): ...", ""),
        ("class Flow:\n    async def one(self): ...", "Flow.one"),
        ("globals()['main'] = made()", ""),
        ("vars()['main'] = made()", ""),
        ("sys.modules[__name__].__dict__['main'] = made()", ""),
        ("def make():\n    global main\n    async def main(): ...\nmake()", ""),
        ("def export(f): globals()[f.__name__] = f\nexport(made())", "main"),
        ("async def _one(): ...\none = replay.workflow(_one)", ""),
        ("async def one(): ...\nreplay.workflow(one)", ""),
        ("from own import mark\nasync def one(): ...\nmark(one)", ""),
        ("def make():\n    @mark\n    async def one(): ...\n    return one\none = make()", ""),
        ("from replay import workflow as w\ndef make():\n    return w(_one)\none = make()", ""),
        ("def __getattr__(name): ...", "main"),
        ("this is no Python", "main"),
    ],
)
def test_what_may_have_the_workflow_passes(tmp_path, text, name):
    (tmp_path / "flow.py").write_text(text)

    require_workflow(tmp_path / "flow.py", name)


@pytest.mark.parametrize(
    ("text", "name", "words"),
    [
        ("print('work')", "", "no function 'main'"),
        ("async def review(): ...", "", "no function 'main'"),
        ("async def main(): ...", "review", "no function 'review'"),
        ("def main(): ...\nmain()", "", "'main' is no coroutine function"),
        ("def outer():\n    async def main(): ...", "main", "no function 'main'"),
        ("class Flow:\n    async def main(self): ...", "", "no function 'main'"),
        ("class Flow:\n    @mark\n    async def one(self): ...", "", "no function 'main'"),
        ("async def one(): ...\nasyncio.run(one())", "", "no function 'main'"),
        ("def one(args): print(vars(args))\none(parse())", "", "no function 'main'"),
    ],
)
def test_a_program_is_refused_and_told_how_it_is_recorded(tmp_path, text, name, words):
    (tmp_path / "flow.py").write_text(text)

    with pytest.raises(NotFoundError, match=words) as caught:
        require_workflow(tmp_path / "flow.py", name)
    assert "record -- python" in caught.value.hint


def test_a_file_that_is_not_there_is_refused_elsewhere(tmp_path):
    require_workflow(tmp_path / "absent.py", "main")
