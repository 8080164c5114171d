"""Uses blocking clients inside a run, which has no door for them yet."""

# Written as a user would.
# mypy: ignore-errors

import os

import anthropic
import httpx
import httpx2

KEYED = os.environ["BASE_URL"].replace("://", "://user:pass-word@") + "/song?key=not-for-the-log"


def chain(error):
    found = []
    while error is not None:
        found.append(f"{type(error).__qualname__}: {error}")
        error = error.__cause__
    return " <- ".join(found)


for library in (httpx, httpx2):
    with library.Client() as client:
        try:
            client.get(KEYED)
        except Exception as error:
            print(chain(error))
with anthropic.Anthropic(base_url=os.environ["BASE_URL"], max_retries=0) as client:
    try:
        client.messages.create(
            model="m", max_tokens=1, messages=[{"role": "user", "content": "hello"}]
        )
    except Exception as error:
        print(chain(error))
