"""What is not known is never counted as nothing."""

from __future__ import annotations

from replay.projections.fold import fold
from replay.projections.spend import Spend, Tokens
from tests.support.conversations import answer, conversation, records, send
from tests.support.recordings import Recording


def spend_of(run):
    return fold(Spend(), records(run))


def test_prompts_responses_and_retries_are_counted():
    state = spend_of(conversation())

    assert (state.prompts, state.responses, state.retries) == (2, 2, 1)
    assert [(model.model, model.prompts, model.responses) for model in state.models] == [
        ("large", 2, 0),
        ("large-1", 0, 1),
        (None, 0, 1),
    ]


def test_tokens_are_summed_by_model():
    run = Recording()
    for tokens in ((10, 5), (20, 6)):
        answer(run, 0, send(run, 0), tokens=tokens)

    model = spend_of(run).models[1]

    assert (model.input.total, model.output.total) == (30, 11)
    assert model.cache_read.total == 0


def test_unknown_usage_has_no_total():
    run = Recording()
    answer(run, 0, send(run, 0), tokens=(10, 5))
    answer(run, 0, send(run, 0), tokens=(None, 7))

    model = spend_of(run).models[1]

    assert model.input == Tokens(known=10, unknown=1)
    assert (model.input.total, model.output.total) == (None, 12)


def test_failed_responses_are_counted_apart():
    run = Recording()
    answer(run, 0, send(run, 0), error="overloaded_error", tokens=(None, None))

    assert (spend_of(run).models[1].failed, spend_of(run).models[1].responses) == (1, 1)


def test_a_run_without_a_model_spent_nothing():
    assert spend_of(Recording()) == Spend().initial()
