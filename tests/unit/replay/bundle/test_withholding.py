import pytest

from replay.bundle.withholding import Decoded, parse_withheld, select_withheld
from replay.errors import UsageError
from replay.events.kinds import EffectReturned, EffectStarted, OutputWritten
from tests.contract.entries import Chain, _json
from tests.support.bundle_forging import small_entries, stored, uncut


def selected(*expressions, entries=None, actors=None):
    read = [parse_withheld(each) for each in expressions]
    return select_withheld(stored(entries or small_entries()), read, actors or {0: "main"})


@pytest.mark.parametrize(
    ("expression", "named"),
    [
        ("3", {3}),
        ("1..3", {1, 2, 3}),
        ("4..", {4, 5}),
        ("..1", {0, 1}),
        ("kind=EffectStarted", {1}),
        ("kind=EffectStarted|RunEnded", {1, 4}),
        ("1..4,kind=EffectReturned|RunSealed", {2}),
        ("2.., ..3", {2, 3}),
        ("actor=main,3..4", {3, 4}),
        ("actor=0,3", {3}),
        ("text=Vivaldi", {1}),
        ("kind=OutputWritten,text=yes", {3}),
    ],
)
def test_an_expression_names_records(expression, named):
    assert selected(expression).named == named


def test_of_several_expressions_one_is_enough_and_each_must_name_something():
    assert selected("1", "kind=RunEnded").named == {1, 4}
    with pytest.raises(UsageError, match="names nothing"):
        selected("1", "kind=TaskSpawned")


@pytest.mark.parametrize(
    "expression",
    [
        "",
        ",",
        "..",
        "3..1",
        "-1",
        "kind=",
        "kind",
        "colour=red",
        "kind=A,kind=B",
        "text=",
        "text=a",
        "9" * 40 + "..",
        "1..2..3",
        "text=\ud800\ud800",
    ],
)
def test_what_is_no_expression_is_refused(expression):
    with pytest.raises(UsageError):
        parse_withheld(expression)


def test_a_kind_that_is_misspelt_hides_nothing_and_is_said():
    with pytest.raises(UsageError, match="there is no kind 'OutputWriten'"):
        selected("kind=OutputWriten")


def test_a_text_takes_only_the_parts_that_hold_it_and_may_have_commas():
    entries = small_entries()
    ordinals = selected("text=yes").ordinals
    data = {part.ordinal: part.data for entry in entries for part in entry.brought}

    assert ordinals == {ordinal for ordinal, each in data.items() if b"yes" in each}
    assert parse_withheld("3,text=a,b=c").spellings[0] == b"a,b=c"


def test_a_text_is_found_across_parts_in_its_json_spelling_and_wherever_it_is_repeated():
    chain = Chain(7, cut=lambda head, body: [head[:30], head[30:]])
    entries = [
        chain.next(),
        chain.record(EffectStarted(name="ask", arguments=_json({"q": "Zoë"}))),
        chain.record(EffectReturned(value=_json("no"))),
        chain.record(EffectStarted(name="ask", arguments=_json({"q": "Zoë"}))),
    ]
    parts = {part.ordinal: part for entry in entries for part in entry.brought}
    listed = [parts[ordinal].data for ordinal in entries[1].parts]
    whole = b"".join(listed)
    border = len(listed[0])

    across = whole[border - 4 : border + 4].decode()
    assert across.encode() not in listed[0] + b"|" + listed[1]
    assert selected(f"text={across}", entries=entries).ordinals == set(entries[1].parts)

    assert selected("text=Zoë", entries=entries).named == {1, 3}


def test_a_part_that_others_share_makes_a_hole_there_too():
    chain = Chain(7, cut=uncut)
    said = OutputWritten(stream="stdout", marks=())
    entries = [chain.next(), chain.record(said, b"same\n"), chain.record(said, b"same\n")]

    found = selected("1", entries=entries)

    assert (found.named, found.holed) == ({1}, 2)


def test_a_text_that_is_everywhere_takes_no_longer_than_it_has_parts():
    chain = Chain(7, cut=lambda head, body: [head, *[b"a" * (n + 1) for n in range(700)]])
    entries = [chain.next(), chain.record(OutputWritten(stream="stdout", marks=()), b"x")]

    assert len(selected("text=aaaa", entries=entries).ordinals) >= 700


def test_parts_that_hold_a_text_once_decoded_go_and_what_nobody_can_decode_is_refused():
    log = stored(small_entries())
    (third,) = [entry.parts for entry in log.entries() if entry.header.seq == 3]
    expression = parse_withheld("kind=OutputWritten|EffectReturned,text=forty")

    def of(*more, **decoded):
        known = {"forty": Decoded(**decoded)}
        return select_withheld(log, [expression, *map(parse_withheld, more)], {}, known)

    assert of(parts=frozenset(third)).ordinals == set(third)
    opaque = {2: "its coding is one that nothing here undoes", 1: "another record's"}
    with pytest.raises(UsageError, match="event 2: its coding") as refused:
        of(parts=frozenset(third), unread=opaque)
    assert "--withhold 2" in refused.value.hint
    assert of("2", parts=frozenset(third), unread=opaque).named == {2, 3}
