"""A release chain of review, package and record: what in-toto alone would let pass is refused."""

from __future__ import annotations

import json
from hashlib import sha256

import pytest

from attestations.errors import EnvelopeError, LayoutError
from attestations.statements.envelope import sign
from attestations.statements.layout import lint_layout, read_layout
from attestations.statements.release import _their_key, verify_release
from tests.support.signers import attestation_key

OWNER, PACKER, RECORDER = (attestation_key(name) for name in ("owner", "packer", "recorder"))
ANN, BOB, CID = (attestation_key(name) for name in ("ann", "bob", "cid"))
ECDSA = attestation_key("ecdsa", "ecdsa-p256")
SOURCE, ARCHIVE, BUNDLE = b"def run(): ...", b"PK archive", b"a recorded run"


def _hashed(**files):
    return {
        name.replace("_", "."): {"sha256": sha256(data).hexdigest()} for name, data in files.items()
    }


def _step(name, signers, threshold, materials, products):
    return {
        "_type": "step",
        "expected_command": [],
        "expected_materials": materials,
        "expected_products": products,
        "name": name,
        "pubkeys": [signer.public.keyid for signer in signers],
        "threshold": threshold,
    }


def _layout(**fields):
    signers = [ANN, BOB, CID, PACKER, RECORDER, ECDSA]
    last = ["DISALLOW", "*"]
    return {
        "_type": "layout",
        "expires": "2999-01-01T00:00:00Z",
        "inspect": [],
        "keys": {each.public.keyid: _their_key(each.public) for each in signers},
        "readme": "",
        "steps": [
            _step("review", [ANN, BOB, CID], 2, [last], [
                ["REQUIRE", "tool.py"], ["CREATE", "tool.py"], last,
            ]),
            _step("package", [PACKER, ECDSA], 1, [
                ["MATCH", "tool.py", "WITH", "PRODUCTS", "FROM", "review"], last,
            ], [["REQUIRE", "tool.zip"], ["CREATE", "tool.zip"], last]),
            _step("record", [RECORDER], 1, [
                ["MATCH", "tool.zip", "WITH", "PRODUCTS", "FROM", "package"], last,
            ], [["REQUIRE", "run"], ["CREATE", "run"], last]),
        ],
        **fields,
    }  # fmt: skip


def _link(step, signer, materials, products, **fields):
    payload = {
        "_type": "link",
        "byproducts": {},
        "command": [],
        "environment": {},
        "materials": materials,
        "name": step,
        "products": products,
        **fields,
    }
    return sign(json.dumps(payload).encode(), [signer]).encode()


def _links():
    return [
        _link("review", ANN, {}, _hashed(tool_py=SOURCE)),
        _link("review", BOB, {}, _hashed(tool_py=SOURCE)),
        _link("package", ECDSA, _hashed(tool_py=SOURCE), _hashed(tool_zip=ARCHIVE)),
        _link("record", RECORDER, _hashed(tool_zip=ARCHIVE), _hashed(run=BUNDLE)),
    ]


def _signed(layout, signer=OWNER):
    return sign(json.dumps(layout).encode(), [signer]).encode()


def _verified(layout=None, links=None, artifact=BUNDLE, signer=OWNER, **more):
    return verify_release(
        _signed(_layout() if layout is None else layout, signer),
        _links() if links is None else links,
        [OWNER.public],
        name="run",
        artifact=artifact,
        **more,
    )


def test_an_artifact_that_went_through_the_chain_is_released():
    release = _verified()

    assert release.owners == (OWNER.public.keyid,)
    assert [name for name, _ in release.steps] == ["review", "package", "record"]
    assert release.steps[0][1] == tuple(sorted([ANN.public.keyid, BOB.public.keyid]))
    assert release.products == {"run": sha256(BUNDLE).hexdigest()}
    assert _verified(links=_links()[::-1]) == release


def _without(number):
    links = _links()
    del links[number]
    return links


@pytest.mark.parametrize(
    ("links", "said"),
    [
        (_without(1), "1 of 2 keys did it"),
        (_without(3), "0 of 1 keys did it"),
        ([*_without(1), _links()[0]], "1 of 2 keys"),
        ([*_without(1), _link("review", PACKER, {}, _hashed(tool_py=SOURCE))], "1 of 2 keys"),
        ([*_without(1), _link("review", BOB, {}, _hashed(tool_py=b"other"))], "do not agree"),
        ([*_without(2), _link("package", ECDSA, _hashed(tool_py=b"other"), {})], "a rule does not"),
        ([*_without(2), _link("package", ECDSA, _hashed(tool_py=SOURCE), {})], "a rule does not"),
        ([*_without(3), _signed(_layout(), RECORDER)], "none"),
        ([*_without(3), _link("record", RECORDER, {}, {"run": {"md5": "0"}})], "none"),
    ],
)
def test_a_chain_that_was_not_gone_through_is_refused(links, said):
    with pytest.raises(LayoutError) as caught:
        _verified(links=links)

    assert said in caught.value.diagnostics()


def test_another_artifact_or_owner_or_a_layout_whose_time_is_up_is_refused():
    with pytest.raises(LayoutError, match="not what came out"):
        _verified(artifact=BUNDLE + b"x")
    with pytest.raises(LayoutError, match="too few trusted owners"):
        verify_release(
            _signed(_layout(), ANN), _links(), [OWNER.public], name="run", artifact=BUNDLE
        )
    with pytest.raises(LayoutError, match="too few trusted owners"):
        _verified(threshold=2)
    with pytest.raises(LayoutError, match="expired"):
        _verified(_layout(expires="2020-01-01T00:00:00Z"))
    with pytest.raises(EnvelopeError):
        _verified(links=[b"{}"])


def _changed(number, **fields):
    layout = _layout()
    layout["steps"][number].update(fields)
    return layout


def _aliased():
    layout = _layout()
    layout["keys"]["f" * 64] = {**_their_key(ANN.public), "keyid": "f" * 64}
    layout["steps"][0]["pubkeys"] = [ANN.public.keyid, "f" * 64]
    return layout


LAST = ["DISALLOW", "*"]
REFUSED = {
    "inspection": (
        _layout(inspect=[{"_type": "inspection", "name": "x", "run": ["touch", "PWNED"]}]),
        "inspections",
    ),
    "allow": (
        _changed(1, expected_products=[["REQUIRE", "tool.zip"], ["ALLOW", "*"], LAST]),
        "ALLOW *",
    ),
    "open end": (_changed(1, expected_products=[["REQUIRE", "tool.zip"]]), "DISALLOW *"),
    "open materials": (_changed(0, expected_materials=[]), "DISALLOW *"),
    "absent": (_changed(1, expected_products=[["CREATE", "tool.zip"], LAST]), "required"),
    "unbound": (_changed(1, expected_materials=[["ALLOW", "tool.py"], LAST]), "no earlier step"),
    "forward": (
        _changed(
            0, expected_materials=[["MATCH", "x", "WITH", "PRODUCTS", "FROM", "record"], LAST]
        ),
        "no earlier step",
    ),
    "threshold": (_changed(2, threshold=2), "2 of 1 different keys"),
    "alias": (_aliased(), "under two names"),
    "stranger": (_changed(2, pubkeys=["a" * 64]), "not in the layout"),
    "name": (_changed(2, name="../x"), "no layout"),
    "twice": (_changed(2, name="review"), "has that name"),
    "rule": (_changed(2, expected_products=[["FORBID", "x"], ["REQUIRE", "run"], LAST]), "no rule"),
    "words": (_changed(2, expected_products=[["REQUIRE", "a", "b"], LAST]), "no rule"),
    "renaming": (
        _changed(
            2,
            expected_materials=[
                ["MATCH", "x", "IN", "d", "WITH", "PRODUCTS", "FROM", "package"],
                LAST,
            ],
        ),
        "no rule",
    ),
    "more": (_layout(more=1), "no layout"),
    "zero": (_changed(2, threshold=0), "no layout"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_layout_that_would_let_something_pass_is_refused_before_in_toto_sees_it(name):
    layout, said = REFUSED[name]

    with pytest.raises(LayoutError) as caught:
        _verified(layout)

    assert said.replace("*", "") in caught.value.message.replace("*", "")


def test_a_sound_layout_has_no_finding():
    assert lint_layout(read_layout(json.dumps(_layout()).encode())) == ()


@pytest.mark.parametrize("digests", [{}, {"sha256": "zz"}, {"sha256": "0" * 64, "md5": "0" * 32}])
def test_a_link_that_names_its_product_by_no_digest_is_refused_by_name(digests):
    last = _link("record", RECORDER, _hashed(tool_zip=ARCHIVE), {"run": digests})

    with pytest.raises(LayoutError, match="what stands for a link is none"):
        _verified(links=[*_links()[:3], last])


@pytest.mark.parametrize("expires", ["2999-99-99T00:00:00Z", "0000-01-01T00:00:00Z"])
def test_a_layout_that_runs_out_at_no_time_is_refused_by_name(expires):
    with pytest.raises(LayoutError, match="no time"):
        _verified(_layout(expires=expires))
