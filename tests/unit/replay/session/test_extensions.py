"""Entry points are looked for once, and again when a place where they are found has changed."""

from __future__ import annotations

import os

from replay.session import extensions
from replay.session.extensions import DIALECT_GROUP, load_dialects


def install(place, name):
    """Install a distribution with one dialect, as pip would."""
    (place / f"{name}.py").write_text("dialect = object()\n")
    about = place / f"{name}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[{DIALECT_GROUP}]\n{name} = {name}:dialect\n")


def test_a_distribution_that_comes_later_is_found(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    before = load_dialects()
    assert before

    install(tmp_path, "tidal")
    os.utime(tmp_path, ns=(1, 1))

    assert len(load_dialects()) == len(before) + 1


def test_nothing_is_looked_for_twice(monkeypatch):
    before = load_dialects()
    monkeypatch.setattr(extensions, "entry_points", lambda **_: [])

    assert load_dialects() == before
