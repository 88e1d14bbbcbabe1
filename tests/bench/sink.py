"""A webhook receiver as a process of its own: python -m tests.bench.sink prints its address.

POST takes an event, `GET /arrivals` gives `[webhook-id, type, correlation id, monotonic time]` of each, `DELETE` forgets.
The monotonic clock is one for all processes of the machine.
"""

import asyncio
import json
import time
from typing import Any

import uvloop
from aiohttp import web

_arrivals: list[list[Any]] = []


async def take(request: web.BaseRequest) -> web.StreamResponse:
    if request.method == "POST":
        body, at = await request.read(), time.monotonic()
        if body.startswith(b'{"type":"subscription.verify"'):
            return web.json_response({"challenge": json.loads(body)["challenge"]})
        _arrivals.append([request.headers.get("webhook-id", ""), body, at])
        return web.Response(status=204)
    if request.method == "DELETE":
        _arrivals.clear()
        return web.Response(status=204)
    return web.json_response([_told(*arrival) for arrival in _arrivals])


def _told(message_id: str, body: bytes, at: float) -> list[Any]:
    document = json.loads(body)
    return [message_id, document.get("type", ""), document.get("correlationid", ""), at]


async def main() -> None:
    runner = web.ServerRunner(web.Server(take))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main())
