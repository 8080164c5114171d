"""A plain synchronous script on the anthropic SDK: no event loop, no thread."""

# Written as a user would.
# mypy: ignore-errors

import os

import anthropic
import httpx2
from anthropic import beta_tool


def describe(error):
    """The error and what it was raised from, with messages."""
    lines = []
    while error is not None and len(lines) < 8:
        lines.append(f"{type(error).__module__}.{type(error).__qualname__}({error})")
        error = error.__cause__ or error.__context__
    return " <- ".join(lines)


def ask(client, prompt, **options):
    messages = [{"role": "user", "content": prompt}]
    try:
        answer = client.messages.create(model="m", max_tokens=32, messages=messages, **options)
    except anthropic.APIError as error:
        print(prompt, "failed:", describe(error))
    else:
        print(prompt, "answered:", answer.content[0].text)


def stream(client, prompt, stop_after=None):
    messages = [{"role": "user", "content": prompt}]
    seen = 0
    try:
        with client.messages.stream(model="m", max_tokens=32, messages=messages) as events:
            for event in events:
                seen += 1
                print(prompt, event.type)
                if seen == stop_after:
                    return
            print(events.get_final_message().usage)
    except (anthropic.APIError, httpx2.HTTPError) as error:
        print(prompt, "broke after", seen, describe(error))


@beta_tool
def weather(city: str) -> str:
    """Say what the weather is.

    Args:
        city: where.
    """
    return f"rain in {city}"


with anthropic.Anthropic(base_url=os.environ["BASE_URL"], max_retries=2) as client:
    patient = client.with_options(max_retries=0)
    ask(client, "hello")
    ask(client, "rate limited")
    ask(client, "overloaded")
    ask(client, "server error")
    ask(patient, "server error for good")
    ask(client, "reset before head, then fine")
    ask(patient, "reset before head for good")
    ask(patient, "slow", timeout=0.05)
    stream(client, "sing")
    stream(client, "sing, but not for long", stop_after=3)
    stream(client, "error in stream")
    stream(client, "reset in stream")
    runner = client.beta.messages.tool_runner(
        model="m",
        max_tokens=64,
        tools=[weather],
        messages=[{"role": "user", "content": "What is the weather?"}],
    )
    for message in runner:
        print([block.type for block in message.content], message.stop_reason)
    print([model.id for model in client.models.list()])
    ask(client, "good bye")
ask(anthropic.Anthropic(base_url=os.environ["CLOSED_URL"], max_retries=0), "nobody there")
