"""A conversation in which the model calls tools until it is content."""

# Written as a user would.
# mypy: ignore-errors

import asyncio
import json
import os

import anthropic

TOOLS = [
    {
        "name": name,
        "description": f"Looks up the {name}.",
        "input_schema": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    }
    for name in ("weather", "time")
]


async def main():
    client = anthropic.AsyncAnthropic(base_url=os.environ["BASE_URL"])
    messages = [{"role": "user", "content": "What is it like in Zürich?"}]
    for _ in range(4):
        answer = await client.messages.create(
            model="m", max_tokens=256, tools=TOOLS, messages=messages
        )
        print(answer.stop_reason, [block.type for block in answer.content])
        messages.append({"role": "assistant", "content": answer.content})
        calls = [block for block in answer.content if block.type == "tool_use"]
        if not calls:
            break
        messages.append(
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": call.id,
                        "content": json.dumps({"name": call.name, "got": call.input}),
                    }
                    for call in calls
                ],
            }
        )
    print(answer.content[-1].text)
    await client.close()


asyncio.run(main())
