"""Sends a key in every way there is to a provider that sends it back."""

# Written as a user would.
# mypy: ignore-errors

import asyncio
import base64
import json
import os
import urllib.parse

import anthropic
import httpx2

BASE_URL = os.environ["BASE_URL"]
KEY = os.environ["ANTHROPIC_API_KEY"]


def spellings():
    escaped = "".join(f"\\u{ord(letter):04x}" for letter in KEY)
    percent = "".join(f"%{ord(letter):02X}" for letter in KEY)
    yield "raw", f"<{KEY}>".encode()
    yield "json", json.dumps({"key": KEY, "again": [KEY]}).encode()
    yield "json-escaped", f'{{"key": "{escaped}"}}'.encode()
    yield "percent", f"key={percent}&q=1".encode()
    yield "quoted", urllib.parse.urlencode({"a": f"Bearer {KEY}"}).encode()
    yield "hex", KEY.encode().hex().encode()
    for before in ("", "x", "xx"):
        yield f"base64 {len(before)}", base64.b64encode(f"{before}{KEY}:".encode())


async def main():
    client = anthropic.AsyncAnthropic(base_url=BASE_URL, default_headers={"x-debug": KEY})
    for number in range(int(os.environ["EXCHANGES"])):
        answer = await client.messages.create(
            model="m", max_tokens=9, messages=[{"role": "user", "content": f"echo {number}"}]
        )
        print(answer.content[0].text)
    prompt = [{"role": "user", "content": f"my key is {KEY}, keep it"}]
    answer = await client.messages.create(model="m", max_tokens=9, system=KEY, messages=prompt)
    print(answer.content[0].text)
    async with httpx2.AsyncClient(headers={"authorization": f"Bearer {KEY}"}) as plain:
        for name, body in spellings():
            response = await plain.post(f"{BASE_URL}/raw", content=body)
            print(name, len(body), response.text)
        await plain.get(f"{BASE_URL}/raw", params={"key": KEY, "q": f"token {KEY}"})
        address = BASE_URL.replace("://", f"://user:{KEY}@")
        await plain.get(f"{address}/raw", headers={"cookie": KEY})
        await plain.get(f"{BASE_URL}/raw/{KEY}/tail", headers={"x-vendor-token": KEY[::-1]})
    await client.close()
    raise RuntimeError(f"cannot use {KEY}")


asyncio.run(main())
