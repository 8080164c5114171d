"""Cassettes are hostile: what YAML can do beyond text, lists and names does nothing here."""

from __future__ import annotations

import contextlib
import copy
import json
import sys

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from replay.errors import IntegrityError, SetupError
from replay.interop import vcr_yaml
from replay.interop.vcr_cassette import read_cassette
from replay.interop.vcr_yaml import read_yaml


def read(text):
    return read_yaml(text if isinstance(text, bytes) else text.encode(), "c.yaml")


def test_words_stay_text_and_only_plain_numbers_and_nothing_are_more():
    text = (
        "a: no\nb: 200\nc: '200'\nd: 2026-11-21\ne: 1e3\nf: ~\ng:\nh: ''\ni: !!str 5\nj: !!int 7\n"
    )

    assert read(text) == {
        "a": "no",
        "b": 200,
        "c": "200",
        "d": "2026-11-21",
        "e": "1e3",
        "f": None,
        "g": None,
        "h": "",
        "i": "5",
        "j": 7,
    }


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.system ['touch ran']",
        "a: !!python/object/new:os.system [x]",
        "a: !!python/name:os.system ''",
        "a: !!python/module:os ''",
        "a: !!set {x, y}",
        "a: !custom x",
        "a: !!float 1.5",
        "a: !!binary '%%%'",
        "a: &x [*x]",
        "a: *nothing",
        "a: 1\na: 2",
        "[x]: 1",
        "? {x: 1}\n: 1",
        "a: 1\n---\nb: 2",
        "a: [",
        "a: '",
        "\x00",
        "a: \x07",
        "[" * 100 + "]" * 100,
        b"a: \xff\xfe",
    ],
)
def test_what_no_cassette_has_is_refused_with_its_place(text):
    with pytest.raises(IntegrityError) as refused:
        read(text)

    assert refused.value.where.startswith("c.yaml")


def test_aliases_count_as_often_as_they_are_used():
    few = "a: &a [x, y]\nb: [*a, *a]\n"
    levels = ["a0: &a0 [" + ", ".join("x" * 10) + "]"]
    levels += [f"a{n}: &a{n} [" + ", ".join([f"*a{n - 1}"] * 10) + "]" for n in range(1, 12)]

    assert read(few)["b"] == [["x", "y"], ["x", "y"]]
    with pytest.raises(IntegrityError, match="too much"):
        read("\n".join(levels))


def test_many_bytes_behind_aliases_are_too_much(monkeypatch):
    monkeypatch.setattr(vcr_yaml, "_BYTES_MAX", 10_000)

    with pytest.raises(IntegrityError, match="too much"):
        read("a: &a " + "x" * 900 + "\nb: [" + "*a, " * 12 + "]\n")


def test_bodies_that_were_files_or_iterators_are_read_as_what_they_held():
    text = """\
interactions:
- request:
    method: post
    uri: http://h/x
    headers: {A: [b], C: d}
    body: !!python/object/new:_io.BytesIO
      state: !!python/tuple [!!binary AAEC, 0, null]
  response:
    status: {code: 200, message: OK}
    headers: {}
    body: {string: ''}
- request:
    method: POST
    uri: http://h/y
    headers: {}
    body: !!python/object/apply:builtins.iter
      args: [[!!binary AAEC, text]]
  response: {status_code: 201, http_version: HTTP/2, headers: {}, content: hé}
version: 1
"""

    first, second = read_cassette(text.encode(), "c.yaml").interactions

    assert first.request_body == b"\0\1\2"
    assert (first.method, first.request_headers) == ("POST", (("a", "b"), ("c", "d")))
    assert second.request_body == b"\0\1\2text"
    assert (second.status, second.http_version, second.response_body) == (
        201,
        "HTTP/2",
        "hé".encode(),
    )


GOOD = {
    "request": {"method": "GET", "uri": "http://h/", "headers": {}, "body": None},
    "response": {"status": {"code": 200}, "headers": {}, "body": {"string": "x"}},
}


@pytest.mark.parametrize(
    "change",
    [
        ("request", None),
        ("request", []),
        ("response", "x"),
        ("request.uri", "http://h:port/"),
        ("request.uri", {}),
        ("request.uri", "http://[::1/"),
        ("request.headers", [1]),
        ("request.headers", {"a": [["b"]]}),
        ("request.body", {"other": 1}),
        ("response.status", {"code": "200"}),
        ("response.status", {"code": 0}),
        ("response.status", {"code": 1000}),
        ("response.headers", {"a": {}}),
        ("response.body", {"string": {}}),
    ],
)
@pytest.mark.parametrize("form", ["yaml", "json"])
def test_another_form_is_refused_and_its_place_is_named(change, form):
    plain = {"version": 1, "interactions": [GOOD, copy.deepcopy(GOOD)]}
    *path, last = change[0].split(".")
    target = plain["interactions"][1]
    for step in path:
        target = target[step]
    target[last] = change[1]
    text = yaml.safe_dump(plain) if form == "yaml" else json.dumps(plain)

    with pytest.raises(IntegrityError) as refused:
        read_cassette(text.encode(), "c")

    assert "interaction 1" in refused.value.where


@pytest.mark.parametrize(
    "data", [b"", b"x", b"[]", b"{}", b"{", b'{"interactions": 1}', b'{"version": 2}', b"\xff"]
)
def test_what_is_no_cassette_is_refused(data):
    with pytest.raises(IntegrityError):
        read_cassette(data, "c")


def test_without_pyyaml_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "yaml", None)

    with pytest.raises(SetupError, match="PyYAML") as refused:
        read("a: 1")

    assert "ritornello[interop]" in refused.value.hint


VALUES = st.recursive(
    st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=8)
    | st.binary(max_size=8)
    | st.integers(-(10**14), 10**14)
    | st.none(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text("abcxyz ", min_size=1, max_size=4), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(VALUES)
def test_what_pyyaml_writes_is_read_back(value):
    assert read(yaml.safe_dump(value)) == value


@given(
    st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "replace"))
)
def test_any_bytes_are_read_or_refused(data):
    with contextlib.suppress(IntegrityError):
        assert read_cassette(data, "c").version == 1
