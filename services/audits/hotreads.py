"""The short way of the audit status: one asynchronous query, the stored bytes, no thread."""

import asyncio
from typing import Any
from weakref import WeakKeyDictionary

import asyncpg
from fastapi import Request, Response

from services.audits.actions.statusreads import Clocks, StatusVersion, document, sees_restricted
from shared.http import content_tag
from shared.service import Asked, Context, ShortAnswer, Shortcut

SCOPE = "audits:status:read"
POOL_SIZE = 8
_STATUS_AND_CONSENT = """
SELECT e.uscc, e.name, e.division, coalesce(s.recorded_at, e.known_since), s.public, s.restricted,
       $2 <> '' AND EXISTS (
           SELECT 1 FROM consent_copy c
           WHERE c.uscc = e.uscc AND c.bank = $2 AND NOT c.revoked AND c.valid_to >= $3 AND c.scope @> '["audit"]')
FROM enterprise_copy e LEFT JOIN audit_status s ON s.uscc = e.uscc AND s.superseded_at IS NULL
WHERE e.uscc = $1
"""


async def hot_answer(asked: Asked) -> ShortAnswer | None:
    """The answer for now, or None where the ordinary way must decide.

    That is: a problem to tell, a question about the past, a bank's read that goes to the ledger, a database that is away.
    """
    me, clocks = asked.caller, Clocks(asked.context.clock.today())
    if not me.may(SCOPE):
        return None
    try:
        pool = await _pool(asked.context)
        row = await pool.fetchrow(_STATUS_AND_CONSENT, asked.name, me.uscc if me.role == "bank" else "", clocks.today)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return None
    if row is None or row[6]:
        return None
    version = StatusVersion(*row[:6])
    content = document(version, clocks, restricted=sees_restricted(me, version), consent_required=me.role == "bank")
    tag = content_tag(content)
    headers = [(b"etag", tag.encode()), (b"cache-control", b"private, no-cache")]
    if _holds(asked.if_none_match, tag):
        return 304, headers, b""
    length = (b"content-length", str(len(content)).encode())
    return 200, [*headers, length, (b"content-type", b"application/json")], content


SHORTCUT = Shortcut("/audits/v1/enterprises/{uscc}/status", hot_answer)


def answer(request: Request, content: bytes) -> Response:
    """The document with its ETag, or 304 where the reader has it."""
    tag = content_tag(content)
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if _holds(request.headers.get("if-none-match", ""), tag):
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type="application/json")


def _holds(if_none_match: str, tag: str) -> bool:
    return bool(if_none_match) and tag in (part.strip().removeprefix("W/") for part in if_none_match.split(","))


async def _pool(context: Context) -> Any:
    """One pool per event loop; connections are made when they are first needed."""
    pools: WeakKeyDictionary[Any, Any] = context.extras.setdefault("status_pools", WeakKeyDictionary())
    loop = asyncio.get_running_loop()
    if loop not in pools:
        pools[loop] = asyncpg.create_pool(context.db.url, min_size=0, max_size=POOL_SIZE, reset=_keep_session, command_timeout=5)
    return await pools[loop]


async def _keep_session(_: Any) -> None:
    """Nothing to put back: these connections only run one SELECT, and a reset would cost a second round trip."""
