"""Floor of the dispatcher: a bare aiohttp loop that posts bodies. URL COUNT AT_ONCE, bodies as lines on stdin."""

import asyncio
import sys
import time
from collections.abc import Iterator

import aiohttp
import uvloop


async def post_all(session: aiohttp.ClientSession, url: str, bodies: Iterator[bytes]) -> None:
    for body in bodies:
        async with session.post(url, data=body, headers={"content-type": "application/cloudevents+json"}) as answer:
            await answer.read()


async def main(url: str, at_once: int, bodies: list[bytes]) -> float:
    waiting = iter(bodies)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        began = time.perf_counter()
        await asyncio.gather(*(post_all(session, url, waiting) for _ in range(at_once)))
        return len(bodies) / (time.perf_counter() - began)


if __name__ == "__main__":
    print(uvloop.run(main(sys.argv[1], int(sys.argv[2]), sys.stdin.buffer.read().splitlines())))
