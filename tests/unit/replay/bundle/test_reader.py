import pytest

from replay.bundle import BundleReader
from replay.errors import BundleError
from replay.events.kinds import OutputWritten
from replay.log.fsck import check
from replay.log.port import LogReader
from tests.contract.entries import Chain
from tests.support.bundle_forging import build, export, head_of, members_of, refresh, stored


@pytest.fixture(scope="module")
def run():
    chain = Chain(11)
    return [*chain.take(250), chain.seal()]


@pytest.fixture(scope="module")
def path(tmp_path_factory, run):
    target = tmp_path_factory.mktemp("bundle") / "run.ritornello"
    export(run, target)
    return target


@pytest.fixture
def reader(path):
    with BundleReader.open(path) as opened:
        yield opened


def test_it_reads_as_the_store_that_was_exported(reader, run):
    store: LogReader = stored(run)
    port: LogReader = reader

    assert port.size() == store.size()
    for first, last in ((0, None), (0, 1), (17, 31), (250, None), (251, 999), (40, 40), (9, 3)):
        found = [(e.raw, e.header, e.parts, e.brought) for e in port.entries(first, last)]
        expected = [(e.raw, e.header, e.parts, e.brought) for e in store.entries(first, last)]
        assert found == expected
    count = sum(len(entry.brought) for entry in run)
    wanted = [*range(0, count, 7), 0, count - 1]
    assert port.parts(wanted) == store.parts(wanted)
    for first, last in ((0, count), (5, 9), (count - 2, count + 50), (9, 9), (count, count + 1)):
        assert port.salts(first, last) == store.salts(first, last)


def test_the_full_check_of_a_log_finds_nothing_wrong_in_a_bundle(reader, run):
    report = check(reader, head=head_of(run))

    assert (report.integrity, report.completeness, report.root) == (
        "ok",
        "sealed",
        reader.manifest.root,
    )


def test_a_part_that_the_run_never_had_is_an_error(reader):
    for ordinal in (-1, 10**6):
        with pytest.raises(BundleError, match="has no part"):
            reader.parts([ordinal])


def test_parts_are_found_in_any_order_while_few_members_are_kept(tmp_path):
    chain = Chain(5)
    entries = [chain.next()]
    for _ in range(8):
        body = chain.random.randbytes(700_000)
        entries.append(chain.record(OutputWritten(stream="stdout", marks=()), body))
    target = tmp_path / "large.ritornello"
    export(entries, target)
    count = sum(len(entry.brought) for entry in entries)

    with BundleReader.open(target) as opened:
        assert len(opened.manifest.of_kind("parts")) > 4
        for ordinal in [*range(count - 1, -1, -1), *range(count)]:
            assert opened.parts([ordinal])[ordinal].ordinal == ordinal


def test_without_verification_a_member_is_still_compared_with_its_digest(path, tmp_path):
    members = members_of(path)
    name = next(name for name in members if name.startswith("parts/"))
    changed = bytearray(members[name])
    changed[-1] ^= 1
    target = build(tmp_path / "forged.ritornello", members | {name: bytes(changed)})

    with BundleReader.open(target, verify=False) as opened:
        assert opened.verified is None
        with pytest.raises(BundleError, match="digest in the manifest"):
            opened.parts([0])
        with pytest.raises(BundleError, match="digest in the manifest"):
            opened.verify()


def test_verification_can_be_put_off_but_says_the_same(path, tmp_path):
    members = members_of(path)
    name = next(name for name in members if name.startswith("headers/"))
    forged = members | {name: members[name].replace(b'"lamport":9,', b'"lamport":8,')}
    target = build(tmp_path / "forged.ritornello", refresh(forged))

    with BundleReader.open(target, verify=False) as opened:
        assert sum(1 for _ in opened.entries()) == 251
        with pytest.raises(BundleError, match="root is not that of the headers"):
            opened.verify()
        assert opened.verified is None


def test_a_file_cut_short_while_it_is_open_is_refused(path, tmp_path):
    target = tmp_path / "cut.ritornello"
    target.write_bytes(path.read_bytes())

    with BundleReader.open(target) as opened:
        with target.open("r+b") as file:
            file.truncate(100)
        with pytest.raises(BundleError, match="cut short while it was read"):
            list(opened.entries())


def test_a_missing_file_is_an_error_of_the_system(tmp_path):
    with pytest.raises(FileNotFoundError):
        BundleReader.open(tmp_path / "absent.ritornello")


def test_closing_twice_is_harmless(path):
    opened = BundleReader.open(path)
    opened.close()
    opened.close()
