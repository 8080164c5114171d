"""Two readers, one written from the format's page alone, agree on what is a bundle."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replay.bundle import BundleReader, Statement
from replay.errors import BundleError
from replay.tree import NoteSignature
from tests.contract.entries import Chain
from tests.support import second_reader
from tests.support.bundle_forging import (
    build,
    canonical,
    excerpt_about,
    export,
    members_of,
    refresh,
    relisted,
    small_entries,
)


def engine_holds(path):
    try:
        BundleReader.open(path).close()
    except BundleError:
        return False
    return True


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    path = tmp_path_factory.mktemp("bundle") / "small.ritornello"
    entries = small_entries()
    said = [Statement(media_type="text/plain", data=b"a"), Statement(media_type="a/b", data=b"c")]
    export(entries, path, excerpts=[excerpt_about(entries)], statements=said)
    return path


@pytest.mark.parametrize("seed", range(4))
def test_both_accept_runs_of_every_shape(tmp_path, seed):
    chain = Chain(seed)
    entries = chain.take(60)
    if seed % 2:
        entries.append(chain.seal())
    path = tmp_path / "run.ritornello"

    summary = export(
        entries,
        path,
        withheld=frozenset(range(0, 40, 3)),
        keep_salts=bool(seed & 2),
        signatures=[NoteSignature("log.example", b"\0\1\2\3", b"signature")],
        excerpts=[excerpt_about(entries)],
        statements=[Statement(media_type="text/x-unknown", data=b"\0\xff")],
    )

    assert summary.verified.withheld == 14
    report = second_reader.judged(path)
    assert (report.root, report.identity) == (summary.manifest.root, summary.identity)
    # Sealed, with questions of the chain that nobody answered.
    assert report.completeness == ("gaps" if seed % 2 else "open")
    assert report.parts["withheld"] == 14
    assert report.signature_lines == ["log.example"]
    assert report.statements["other"] == 1
    assert sum(report.workspaces.values()) == summary.verified.workspace_records


def test_both_refuse_every_changed_byte(small, tmp_path):
    whole = small.read_bytes()
    path = tmp_path / "changed.ritornello"
    accepted = []
    for offset in range(0, len(whole), 3):
        changed = bytearray(whole)
        changed[offset] ^= 1 << offset % 8
        path.write_bytes(changed)
        if second_reader.holds(path) or engine_holds(path):
            accepted.append(offset)

    assert accepted == []


@given(data=st.data())
@settings(max_examples=150)
def test_both_agree_on_members_changed_with_fitting_digests(small, tmp_path_factory, data):
    members = members_of(small)
    name = data.draw(st.sampled_from(sorted(members)))
    plain = members[name]
    start = data.draw(st.integers(0, len(plain)))
    stop = data.draw(st.integers(start, min(start + 3, len(plain))))
    members[name] = plain[:start] + data.draw(st.binary(max_size=3)) + plain[stop:]
    if name not in {"manifest.json", "zip.sha256"}:
        members = refresh(members)
    path = build(tmp_path_factory.mktemp("forged") / "b.ritornello", members)

    assert engine_holds(path) == second_reader.holds(path)


@pytest.mark.parametrize(
    "changes",
    [
        {"engine": "0.2.0"},
        {"engine": "a b"},
        {"engine": "1\n"},
        {"format": 2},
        {"format": 1.0},
        {"format": True},
        {"kind": "runs"},
        {"origin": "ritornello/run/"},
        {"origin": "ritornello/run/other"},
        {"root": "0" * 64},
        {"root": "A" * 64},
        {"sealed": False},
        {"sealed": 1},
        {"size": 0},
        {"size": 7},
        {"size": "6"},
        {"members": []},
        {"extra": 1},
    ],
)
def test_both_agree_on_every_field_of_the_manifest(small, tmp_path, changes):
    path = build(tmp_path / "b.ritornello", relisted(members_of(small), **changes))

    assert engine_holds(path) == second_reader.holds(path) == (changes == {"engine": "0.2.0"})


@pytest.mark.parametrize(
    "changes",
    [
        {"v": 2},
        {"outcome": "ok"},
        {"outcome": "error"},
        {"note": "free text"},
        {"time": 2**53},
        {"lamport": -1},
        {"kind": "Run1"},
        {"kind": "RunStarted\n"},
        {"causes": [0, 0.5]},
        {"commitment": "0" * 63},
        {"commitment": "0" * 63 + "\n"},
        {"media": "text"},
        {"answers": None},
        {"seq": 1},
    ],
)
def test_both_refuse_a_header_outside_the_schema(small, tmp_path, changes):
    import json

    members = members_of(small)
    name = next(name for name in members if name.startswith("headers/"))
    first, rest = members[name].split(b"\n", 1)
    members[name] = canonical(json.loads(first) | changes) + b"\n" + rest
    path = build(tmp_path / "b.ritornello", refresh(members))

    assert not engine_holds(path)
    assert not second_reader.holds(path)
