"""What counts as library: what stands there, and where a link among it leads."""

from __future__ import annotations

import os
import sysconfig
from pathlib import Path

import pytest

from replay.session.admitted_code import AdmittedCode


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A standard library with a place for packages in it, as Debian's and others have it."""
    places = {"stdlib": tmp_path / "lib", "purelib": tmp_path / "lib" / "site-packages"}
    places |= {"platstdlib": places["stdlib"], "platlib": places["purelib"]}
    places["purelib"].mkdir(parents=True)
    monkeypatch.setattr(sysconfig, "get_path", lambda name, *_: str(places[name]))
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "sitecustomize.py").write_text("")
    return tmp_path / "lib"


@pytest.mark.parametrize(
    ("link", "is_library"),
    [
        ("lib/sitecustomize.py", True),  # a distributor's, as Debian's is
        ("lib/site-packages/sitecustomize.py", False),
        ("project.py", False),
    ],
)
def test_a_link_out_of_the_library_is_its_own_only_beside_the_modules_of_the_standard_one(
    library, tmp_path, link, is_library
):
    (tmp_path / link).symlink_to(tmp_path / "etc" / "sitecustomize.py")

    assert AdmittedCode(()).is_library(str(tmp_path / link)) is is_library


def test_a_link_into_the_library_and_a_way_around_it_are_not_library(library, tmp_path):
    (library / "json.py").write_text("")
    (tmp_path / "json.py").symlink_to(library / "json.py")
    (tmp_path / "linked").symlink_to(library)

    admitted = AdmittedCode(())

    assert admitted.is_library(str(library / "json.py"))
    assert not admitted.is_library(str(tmp_path / "json.py"))
    assert not admitted.is_library(str(tmp_path / "linked" / "json.py"))
    assert not admitted.is_library(f"{library}{os.sep}..{os.sep}etc{os.sep}sitecustomize.py")


def test_the_real_library_is_library():
    admitted = AdmittedCode(())

    assert admitted.is_library(os.__file__)
    assert admitted.is_library(pytest.__file__)
    assert not admitted.is_library(__file__)
    assert not admitted.is_library(str(Path(__file__).parent))
