import hashlib
from base64 import b64decode, b64encode

import pytest

from replay.bundle import BundleReader
from replay.bundle.proof import make_proof, proof_bytes, read_proof
from replay.errors import IntegrityError, NotFoundError, ProofError
from replay.tree import Checkpoint, NoteSignature
from tests.contract.entries import Chain
from tests.support.bundle_forging import export, head_of, small_entries, stored


def proof_of(entries, seq, **options):
    options.setdefault("checkpoint", head_of(entries))
    return make_proof(stored(entries), seq, **options)


def tlog_root(section, entry):
    """Compute the root that a C2SP tlog-proof leads to, with nothing of ours (RFC 9162)."""
    words, note = section.split(b"\n\n", 1)
    first, index, *path = words.split(b"\n")
    assert first == b"c2sp.org/tlog-proof@v1"
    at = int(index.removeprefix(b"index "))
    last = int(note.split(b"\n")[1]) - 1
    root = hashlib.sha256(b"\0" + entry).digest()
    for sibling in map(b64decode, path):
        if at & 1 or at == last:
            root = hashlib.sha256(b"\1" + sibling + root).digest()
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            root = hashlib.sha256(b"\1" + root + sibling).digest()
        at, last = at >> 1, last >> 1
    assert last == 0
    return b64encode(root), note.split(b"\n")[2]


@pytest.mark.parametrize("size", [1, 2, 3, 8, 13])
def test_the_proof_of_each_event_is_read_back_and_holds(size):
    entries = Chain(5).take(size)

    for seq, entry in enumerate(entries):
        proof = proof_of(entries, seq)

        assert read_proof(proof_bytes(proof)) == proof
        assert (proof.header, proof.raw, proof.hole) == (entry.header, entry.raw, None)
        assert len(proof.payload()) == entry.header.size


def test_its_second_half_is_a_tlog_proof_that_others_can_check():
    entries = Chain(5).take(13)

    for seq in range(13):
        data = proof_bytes(proof_of(entries, seq))
        _, section = data.split(b"\n\n", 1)
        computed, stated = tlog_root(section, b"ritornello/event/v1\0" + entries[seq].raw)
        assert computed == stated


def test_what_is_withheld_has_no_data_and_no_salt_and_the_header_is_proved_all_the_same():
    entries = small_entries()
    whole, bare = proof_of(entries, 3), proof_of(entries, 3, withhold=True)
    data = proof_bytes(bare)

    assert read_proof(data).hole == "withheld"
    assert (bare.raw, bare.path, bare.payload(), bare.decoded()) == (
        whole.raw,
        whole.path,
        None,
        None,
    )
    for part in whole.parts:
        assert b64encode(part.data) not in data
        assert b64encode(part.salt) not in data


def test_a_hole_of_the_run_stays_what_it_is(tmp_path):
    path = tmp_path / "run.ritornello"
    entries = small_entries()
    export(entries, path, withheld=frozenset({1}))

    with BundleReader.open(path) as reader:
        proof = make_proof(reader, 1, checkpoint=reader.checkpoint)

    assert proof.hole == "withheld"
    assert read_proof(proof_bytes(proof)) == proof


def test_signatures_of_the_checkpoint_travel_with_it():
    signature = NoteSignature("log.example", b"\0\1\2\3", b"signature")
    entries = small_entries()

    proof = read_proof(proof_bytes(proof_of(entries, 2, signatures=[signature])))

    assert proof.signatures == (signature,)


def test_an_event_that_is_not_there_and_a_run_that_does_not_hold_give_no_proof():
    entries = small_entries()
    with pytest.raises(NotFoundError):
        proof_of(entries, 6)
    with pytest.raises(NotFoundError):
        proof_of(entries, -1)
    other = Checkpoint(head_of(entries).origin, 6, bytes(32))
    with pytest.raises(IntegrityError):
        proof_of(entries, 1, checkpoint=other)


@pytest.mark.parametrize("withhold", [False, True])
def test_any_changed_or_missing_byte_is_refused_but_the_origin_and_size_that_no_path_pins(withhold):
    data = proof_bytes(proof_of(small_entries(), 3, withhold=withhold))
    origin = data.index(b"ritornello/run/") + len(b"ritornello/run/")
    unpinned = {*range(origin, data.index(b"\n", origin)), data.rindex(b"\n6\n") + 1}
    for offset in range(len(data)):
        if offset in unpinned:
            continue  # what the checkpoint says beside its root: a signature is over all three
        for changed in (
            data[:offset] + bytes((data[offset] ^ 1,)) + data[offset + 1 :],
            data[:offset] + data[offset + 1 :],
            data[:offset],
        ):
            with pytest.raises(ProofError):
                read_proof(changed)


def lines_of(seq=3):
    return proof_bytes(proof_of(small_entries(), seq)).split(b"\n")


@pytest.mark.parametrize(
    ("number", "line", "where"),
    [
        (1, b"ritornello/proof/v2", "line 1"),
        (2, b"head {}", "line 2"),
        (3, b"part present - - 5", "line 3"),
        (3, b"part gone - - 5 -", "line 3"),
        (3, b"part withheld AA== - 5", "line 3"),
        (3, b"part withheld - AA== 5", "line 3"),
        (3, b"part withheld - !! 5", "line 3"),
        (3, b"part withheld - " + b64encode(bytes(32)) + b" +5", "line 3"),
        (3, b"part withheld - " + b64encode(bytes(32)) + b" " + b"9" * 5000, "line 3"),
        (6, b"c2sp.org/tlog-proof@v2", "line 6"),
        (7, b"index 03", "line 7"),
        (7, b"index 2", "line 7"),
        (8, b64encode(bytes(31)), "line 8"),
        (8, b"", ""),
        (8, b64encode(bytes(32)), "event 3"),
    ],
)
def test_a_refusal_names_the_line_or_the_event(number, line, where):
    lines = lines_of()
    assert lines[0] == b"ritornello/proof/v1"
    assert lines[5] == b"c2sp.org/tlog-proof@v1"
    lines[number - 1] = line

    with pytest.raises(ProofError) as caught:
        read_proof(b"\n".join(lines))

    assert caught.value.where == where
    assert caught.value.code == "proof"


def test_a_part_of_another_payload_an_empty_list_and_another_spelling_are_refused():
    lines, others = lines_of(), lines_of(2)
    for forged, message in (
        ([*lines[:2], others[2], *lines[3:]], "not those that the header commits to"),
        ([*lines[:2], *lines[4:]], "lists no part"),
        ([*lines, b""], "control|newline|note|each on a line"),
        ([*lines[:2], lines[2], lines[2], *lines[3:]], "not those that the header commits to"),
    ):
        with pytest.raises(ProofError, match=message):
            read_proof(b"\n".join(forged))


def test_a_path_fits_the_sizes_of_one_shape_only_so_the_size_is_the_checkpoints_word():
    data = proof_bytes(proof_of(small_entries(), 3))

    assert read_proof(data.replace(b"\n6\n", b"\n7\n")).checkpoint.size == 7
    for size in (b"4", b"9", b"16"):
        with pytest.raises(ProofError) as caught:
            read_proof(data.replace(b"\n6\n", b"\n" + size + b"\n"))
        assert caught.value.where == "event 3"


def test_the_checkpoint_of_another_kind_of_log_or_run_is_refused():
    data = proof_bytes(proof_of(small_entries(), 0))
    for origin in (b"ritornello/workspace/01JDTESTRUN0000000000000", b"ritornello/run/another"):
        forged = data.replace(b"ritornello/run/01JDTESTRUN0000000000000", origin)
        with pytest.raises(ProofError):
            read_proof(forged)


def test_a_list_without_end_is_refused_before_it_is_read():
    lines = lines_of()
    many = [lines[2]] * (1 << 20)

    with pytest.raises(ProofError, match="more parts than a payload"):
        read_proof(b"\n".join([*lines[:2], *[b"x"] * len(many), b"y", b"z", *lines[3:]]))
