"""Rules say what is ignored, and a rule that is none says where."""

from __future__ import annotations

import pytest

from replay.errors import UsageError
from replay.forensics.diff.rules import (
    DEFAULT_RULES,
    RULES_MAX,
    Rules,
    parse_rule,
    parse_rules,
    without,
)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("field=a", ("a",)),
        ("field=body.messages[*].content", ("body", "messages", None, "content")),
        ("field=body.a[3][*]", ("body", "a", 3, None)),
        ("field=*.b", (None, "b")),
        ('field=body["a b"].c', ("body", "a b", "c")),
        ('field="body[\\"x.y\\"]"', ("body", "x.y")),
    ],
)
def test_a_path_is_names_and_positions(text, path):
    assert parse_rule(text).path == path


def test_terms_stand_together_in_any_order():
    rule = parse_rule('task="main/a b*" kind=RequestSent field=body.metadata # why')

    assert (rule.kind, rule.task, rule.path) == ("RequestSent", "main/a b*", ("body", "metadata"))
    assert not rule.whole


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("", 1),
        ("knd=FileRead", 1),
        ("kind=Fileread", 6),
        ("kind=FileRead kind=FileRead", 15),
        ("kind=", 6),
        ('kind="FileRead', 6),
        ('kind="FileRead"x', 16),
        ("kind=FileRead field=pth", 21),
        ("field=body..x", 12),
        ("field=body[x]", 11),
        ("field=body]", 11),
        ("header=time", 8),
        ("header=outcome field=x", 22),
        ("exchange=no", 10),
        ("kind=ChunksReceived field=body.id", 27),
        ("kind=OutputWritten field=body.id", 26),
        ("kind=ReadingsTaken field=readings", 26),
        ("field=" + ".".join("a" * 40), 7),
        ('source="\\x"', 8),
    ],
)
def test_a_rule_that_is_none_is_refused_with_its_column(text, column):
    with pytest.raises(UsageError) as refused:
        parse_rule(text)

    assert refused.value.where.endswith(f"column {column}")


def test_a_file_of_rules_names_the_line():
    text = "# clocks\n\nkind=FileRead\n  task=a*  # these too\n"
    assert [rule.text for rule in parse_rules(text, "f")] == [
        "kind=FileRead",
        "task=a*  # these too",
    ]
    with pytest.raises(UsageError) as refused:
        parse_rules(text + "kind\n", "rules.txt")
    assert refused.value.where == "rules.txt, line 5, column 1"


def test_rules_are_bounded():
    with pytest.raises(UsageError, match="more than"):
        parse_rules("task=x\n" * (RULES_MAX + 1), "f")
    with pytest.raises(UsageError, match="longer"):
        parse_rule("task=" + "x" * 2000)


def test_the_default_rules_are_rules_and_can_be_left_out():
    assert [rule.text for rule in Rules().all] == list(DEFAULT_RULES)
    assert Rules(defaults=False).all == ()


def test_a_source_is_named_with_or_without_its_argument():
    rules = Rules([parse_rule("source=env"), parse_rule('source="stdin 3"')], defaults=False)

    assert rules.whole("ReadingsTaken", "m", "env HOME", read=False) == 0
    assert rules.whole("ReadingsTaken", "m", "stdin 3", read=False) == 1
    assert rules.whole("ReadingsTaken", "m", "stdin 4", read=False) is None
    assert rules.whole("FileRead", "m", None, read=False) is None


def test_what_is_taken_out_leaves_the_rest_and_its_positions():
    value = {"a": [{"id": 1, "x": 2}, {"id": 3}, 7], "id": 9}

    assert without(value, [("a", None, "id"), ("a", 2), ("b", "c"), ("id", 0)]) == {
        "a": [{"x": 2}, {}, None],
        "id": 9,
    }
