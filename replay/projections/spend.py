"""What a run spent: tokens by model, prompts, responses, retries.

The one invariant: what is not known is never counted as nothing. A response whose provider gave no
usage leaves a sum without a total. Money is no business of this room: prices are not in the log of
the engine.
"""

from __future__ import annotations

import msgspec

from replay.events.header import Header
from replay.events.kinds import Payload, PromptSent, RequestRetried, ResponseReceived
from replay.projections import fold

__all__ = ["ModelSpend", "Spend", "SpendState", "Tokens"]


class Tokens(msgspec.Struct, frozen=True, kw_only=True):
    """A sum of token counts of which some may be unknown.

    Attributes:
        known: sum of the counts that were given.
        unknown: number of responses that gave none.
    """

    known: int = 0
    unknown: int = 0

    @property
    def total(self) -> int | None:
        """The sum, or None if any of it is unknown."""
        return None if self.unknown else self.known

    def plus(self, count: int | None) -> Tokens:
        """Return the sum with one more count."""
        if count is None:
            return Tokens(known=self.known, unknown=self.unknown + 1)
        return Tokens(known=self.known + count, unknown=self.unknown)


class ModelSpend(msgspec.Struct, frozen=True, kw_only=True):
    """What one model was asked and answered.

    Attributes:
        model: its name: in prompts as it was asked for, in responses as the provider names it
            (the two may differ); None where the provider gave none.
        prompts: prompts sent to it.
        responses: its responses.
        failed: those among them that report an error.
        incomplete: those among them that ended early.
    """

    model: str | None
    prompts: int = 0
    responses: int = 0
    failed: int = 0
    incomplete: int = 0
    input: Tokens = Tokens()
    output: Tokens = Tokens()
    cache_read: Tokens = Tokens()
    cache_write: Tokens = Tokens()


class SpendState(msgspec.Struct, frozen=True, kw_only=True):
    """The spend of a run.

    Attributes:
        models: one for each model name, in order of first mention.
        retries: requests that a client sent again, whichever model they were for.
    """

    models: tuple[ModelSpend, ...] = ()
    retries: int = 0

    @property
    def prompts(self) -> int:
        """Prompts sent to any model."""
        return sum(model.prompts for model in self.models)

    @property
    def responses(self) -> int:
        """Responses of any model."""
        return sum(model.responses for model in self.models)


class Spend:
    """The projection; see :class:`SpendState`."""

    def initial(self) -> SpendState:
        """Return the state before the first record."""
        return SpendState()

    def builder(self, state: SpendState) -> _Builder:
        """Return a builder that goes on from a state."""
        return _Builder(state)

    def apply(self, state: SpendState, header: Header, payload: Payload) -> SpendState:
        """Return the state after one more record."""
        return fold.apply(self, state, header, payload)


class _Builder:
    def __init__(self, state: SpendState) -> None:
        self._models = {model.model: model for model in state.models}
        self._retries = state.retries

    def add(self, header: Header, payload: Payload) -> None:
        if isinstance(payload, PromptSent):
            model = self._models.get(payload.model) or ModelSpend(model=payload.model)
            self._models[payload.model] = msgspec.structs.replace(model, prompts=model.prompts + 1)
        elif isinstance(payload, ResponseReceived):
            model = self._models.get(payload.model) or ModelSpend(model=payload.model)
            self._models[payload.model] = msgspec.structs.replace(
                model,
                responses=model.responses + 1,
                failed=model.failed + (payload.error_type is not None),
                incomplete=model.incomplete + (not payload.complete),
                input=model.input.plus(payload.input_tokens),
                output=model.output.plus(payload.output_tokens),
                cache_read=model.cache_read.plus(payload.cache_read_tokens),
                cache_write=model.cache_write.plus(payload.cache_write_tokens),
            )
        elif isinstance(payload, RequestRetried):
            self._retries += 1

    def state(self) -> SpendState:
        return SpendState(models=tuple(self._models.values()), retries=self._retries)
