"""OpenAI's client, asynchronous and synchronous: chat, tools, both streams, responses, retries."""

# Written as a user would.
# mypy: ignore-errors

import asyncio
import os

import openai

OPTIONS = {"base_url": os.environ["BASE_URL"] + "/v1", "api_key": os.environ["OPENAI_API_KEY"]}
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
        },
    }
]


def says(prompt):
    return [{"role": "user", "content": prompt}]


async def ask(client, prompt):
    answer = await client.chat.completions.create(model="m", messages=says(prompt))
    print(prompt, "->", answer.choices[0].message.content, answer.id)
    return answer.usage.total_tokens


async def sing(client, voice):
    async with client.chat.completions.stream(model="m", messages=says(voice)) as events:
        async for event in events:
            print(voice, event.type)
    return (await events.get_final_completion()).choices[0].message.content


async def main():
    async with openai.AsyncOpenAI(**OPTIONS) as client:
        print(await asyncio.gather(*[ask(client, f"question {n}") for n in range(5)]))
        print(await asyncio.gather(*[sing(client, f"voice {n}") for n in range(3)]))
        async for chunk in await client.chat.completions.create(
            model="m", stream=True, messages=says("bare")
        ):
            print(repr(chunk.choices[0].delta.content))
        await ask(client, "rate limited")
        answer = await client.responses.create(model="m", input="hello")
        print(answer.output_text)
        async for event in await client.responses.create(model="m", input="slowly", stream=True):
            print(event.type, getattr(event, "delta", ""))
        print((await client.embeddings.create(model="m", input="word")).data[0].embedding)
        try:
            await asyncio.wait_for(sing(client, "not for long"), 0.003)
        except TimeoutError:
            print("gave up")


def without_a_loop():
    with openai.OpenAI(**OPTIONS) as client:
        messages = says("What is the weather?")
        first = client.chat.completions.create(model="m", messages=messages, tools=TOOLS)
        call = first.choices[0].message.tool_calls[0]
        messages.append(first.choices[0].message.model_dump(exclude_none=True))
        messages.append({"role": "tool", "tool_call_id": call.id, "content": "rain"})
        second = client.chat.completions.create(model="m", messages=messages, tools=TOOLS)
        print(call.function.arguments, "->", second.choices[0].message.content)
        for chunk in client.chat.completions.create(model="m", stream=True, messages=says("again")):
            print(repr(chunk.choices[0].delta.content))
        with client.responses.stream(model="m", input="slowly") as events:
            for event in events:
                print(event.type)
        client.chat.completions.create(model="m", messages=says("server error"))
        try:
            patient = client.with_options(max_retries=0, base_url=OPTIONS["base_url"] + "/no")
            patient.completions.create(model="m", prompt="nowhere")
        except openai.NotFoundError as error:
            print(type(error).__name__, error.status_code)


asyncio.run(main())
without_a_loop()
