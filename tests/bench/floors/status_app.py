"""Floor of the status read: a bare ASGI app, an asyncpg pool, the same row. DATABASE_URL; prints its address."""

import os
import socket
from typing import Any

import asyncpg
import uvicorn

ROW = """
SELECT e.uscc, e.name, s.public FROM enterprise_copy e
LEFT JOIN audit_status s ON s.uscc = e.uscc AND s.superseded_at IS NULL WHERE e.uscc = $1
"""
_pool: Any = None


async def app(scope: Any, receive: Any, send: Any) -> None:
    """The row as it is, for the code at the end of the path."""
    global _pool
    if _pool is None:
        _pool = asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=0, max_size=8, reset=_nothing)
    pool = await _pool
    row = await pool.fetchrow(ROW, scope["path"].rpartition("/")[2])
    body = b'{"uscc":"%s","name":"%s",%s}' % (row[0].encode(), row[1].encode(), row[2] or b'"result":"none"')
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _nothing(_: Any) -> None:
    """No second round trip to put the session back: the floor is the faster for it."""


def main() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(128)
        print(f"http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
        config = uvicorn.Config(
            app, loop="uvloop", http="httptools", lifespan="off", log_level="warning", access_log=False
        )
        uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main()
