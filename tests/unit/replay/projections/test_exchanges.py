"""Every exchange is one value, and what its records do not say is not guessed."""

from __future__ import annotations

from replay.events.kinds import RequestSent, ResponseEnded, WireObserved
from replay.projections.exchanges import exchanges
from tests.support.conversations import answer, conversation, records, send, spawn
from tests.support.recordings import Recording


def test_exchanges_of_tasks_that_run_at_once_keep_their_own_facts():
    run = Recording()
    left, right = spawn(run, "left"), spawn(run, "right", 1)
    first = send(run, left, model="a")
    second = send(run, right, model="b", attempt=1)
    answer(run, right, second, model="b-1", tokens=(3, 4))
    answer(run, left, first, model="a-1", tokens=(None, 2))

    found = exchanges(records(run))

    assert [(e.seq, e.model_asked, e.model_answered, e.attempt) for e in found] == [
        (first, "a", "a-1", None),
        (second, "b", "b-1", 1),
    ]
    assert [(e.input_tokens, e.output_tokens, e.ending) for e in found] == [
        (None, 2, "complete"),
        (3, 4, "complete"),
    ]


def test_what_no_dialect_reads_has_the_marks_of_the_wire_alone():
    run = Recording()
    seq = run.add(
        RequestSent(
            method="POST", path="/v1/chat/completions", query="", headers=(), credentials=()
        ),
        body=b"{}",
        task=0,
    )
    wire = WireObserved(
        scheme="https",
        host="api.example",
        headers=(),
        http_version="HTTP/2",
        request_id="req_1",
        response_date="Sat, 21 Nov 2026 14:00:00 GMT",
    )
    run.add(wire, task=0, answers=seq, part=0)
    ended = run.add(ResponseEnded(), task=0, answers=seq, part=1, outcome="error")

    (found,) = exchanges(records(run))

    assert (found.host, found.request_id, found.status) == ("api.example", "req_1", None)
    assert (found.dialect, found.model_asked, found.input_tokens) == (None, None, None)
    assert (found.ending, found.ended_at) == ("failed", ended)


def test_an_exchange_whose_payloads_are_not_here_is_one_all_the_same():
    whole = exchanges(records(conversation()))

    bare = exchanges((header, None) for header, _ in records(conversation()))

    assert [each.seq for each in bare] == [each.seq for each in whole]
    assert {each.path for each in bare} == {None}
    assert [each.ending for each in bare] == [each.ending for each in whole]
