"""The benchmarks run. What they measure is judged by who runs them on a quiet machine, not here."""

from __future__ import annotations

import json

import pytest

from benchmarks.bench import TOPICS, main
from benchmarks.measuring import Figure, at_least, at_most, in_turn


@pytest.mark.parametrize(
    "topic",
    [
        pytest.param(
            topic, marks=() if topic in {"reading", "starting", "verifying"} else pytest.mark.full
        )
        for topic in TOPICS
    ],
)
def test_each_topic_runs_with_next_to_nothing_to_do(topic, tmp_path, monkeypatch, capsys):
    if topic == "calling":
        pytest.importorskip("anthropic")
    monkeypatch.setenv("PYTHONPATH", str(pytest.importorskip("benchmarks").__path__[0]) + "/..")
    monkeypatch.chdir(tmp_path)

    main([topic, "--tiny", "--json"])

    document = json.loads(capsys.readouterr().out)
    assert all(figure["samples"] for figure in document["figures"])
    assert document["figures"]
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_topic_is_refused():
    with pytest.raises(SystemExit) as end:
        main(["sleeping"])

    assert end.value.code == 2


def test_a_figure_is_judged_by_the_median_of_its_ratios():
    figure = Figure(
        what="x",
        unit="/s",
        samples=(10.0, 30.0, 20.0),
        bare=(100.0, 100.0, 10.0),
        more_is_better=True,
        target=at_least(20),
        ratio_target=at_least(0.3),
    )

    assert (figure.median, figure.best) == (20.0, 30.0)
    assert figure.ratio == pytest.approx(0.3)
    assert figure.verdict == "ok"


def test_a_figure_past_its_limit_is_missed():
    figure = Figure(what="x", unit="ms", samples=(2.1,), target=at_most(2))

    assert figure.verdict == "MISSED"


def test_works_take_turns_in_being_first():
    order: list[str] = []

    in_turn(2, lambda: order.append("a") or 1.0, lambda: order.append("b") or 2.0)

    assert order == ["a", "b", "b", "a"]
