"""The short way of the audit status: reads that come together are one query; the stored bytes, no thread."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from weakref import WeakKeyDictionary

import asyncpg
from fastapi import Request, Response

from services.audits.actions.statusreads import Clocks, StatusVersion, document, sees_restricted
from shared.http import content_tag
from shared.service import Asked, Context, ShortAnswer, Shortcut

SCOPE = "audits:status:read"
QUERIES_AT_ONCE = 2  # while these are under way, the next one gathers
MOST_IN_A_QUERY = 100
_STATUS_AND_CONSENT = """
SELECT e.uscc, e.name, e.division, coalesce(s.recorded_at, e.known_since), s.public, s.restricted,
       g.bank <> '' AND EXISTS (
           SELECT 1 FROM consent_copy c
           WHERE c.uscc = e.uscc AND c.bank = g.bank AND NOT c.revoked AND c.valid_to >= $3 AND c.scope @> '["audit"]')
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS g (uscc, bank, n)
LEFT JOIN enterprise_copy e ON e.uscc = g.uscc
LEFT JOIN audit_status s ON s.uscc = e.uscc AND s.superseded_at IS NULL
ORDER BY g.n
"""


async def hot_answer(asked: Asked) -> ShortAnswer | None:
    """The answer for now, or None where the ordinary way must decide.

    That is: a problem to tell, a question about the past, a bank's read that goes to the ledger, a database that is away.
    """
    me = asked.caller
    if not me.may(SCOPE):
        return None
    is_bank = me.role == "bank"
    try:
        row, today = await _reads(asked.context).row(asked.name, me.uscc if is_bank else "")
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return None
    if row[0] is None or row[6]:
        return None
    version = StatusVersion(*row[:6])
    content = document(version, Clocks(today), restricted=sees_restricted(me, version), consent_required=is_bank)
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


Found = tuple[Any, date]


@dataclass(frozen=True, eq=False)
class _Wanted:
    uscc: str
    bank: str
    found: "asyncio.Future[Found]"


class _Reads:
    """The reads of one event loop. A read is answered by a query that began after it came: nothing is remembered."""

    def __init__(self, context: Context) -> None:
        self._context, self._waiting = context, list[_Wanted]()
        self._pool: Any = asyncpg.create_pool(
            context.db.url, min_size=0, max_size=QUERIES_AT_ONCE, reset=_keep_session, command_timeout=5
        )
        self._tasks: set[asyncio.Task[None]] = set()

    async def row(self, uscc: str, bank: str) -> Found:
        """The row of an enterprise (all NULL where it is unknown) and the legal day it was read on."""
        wanted = _Wanted(uscc, bank, asyncio.get_running_loop().create_future())
        self._waiting.append(wanted)
        if len(self._tasks) < QUERIES_AT_ONCE:
            task = asyncio.create_task(self._answer())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await wanted.found

    async def _answer(self) -> None:
        """Query for whatever waits, until nothing does."""
        while self._waiting:
            taken, self._waiting = self._waiting[:MOST_IN_A_QUERY], self._waiting[MOST_IN_A_QUERY:]
            try:
                for wanted, found in zip(taken, await self._rows(taken), strict=True):
                    if not wanted.found.done():
                        wanted.found.set_result(found)
            except Exception as error:
                for wanted in taken:
                    if not wanted.found.done():
                        wanted.found.set_exception(error)
            finally:
                for wanted in taken:
                    wanted.found.cancel()

    async def _rows(self, taken: Sequence[_Wanted]) -> list[Found]:
        today, pool = self._context.clock.today(), await self._pool
        rows = await pool.fetch(_STATUS_AND_CONSENT, [w.uscc for w in taken], [w.bank for w in taken], today)
        return [(row, today) for row in rows]


def _reads(context: Context) -> _Reads:
    """One per event loop; its connections are made when they are first needed."""
    known: WeakKeyDictionary[Any, _Reads] = context.extras.setdefault("status_reads", WeakKeyDictionary())
    loop = asyncio.get_running_loop()
    if loop not in known:
        known[loop] = _Reads(context)
    return known[loop]


async def _keep_session(_: Any) -> None:
    """Nothing to put back: these connections only run one SELECT, and a reset would cost a second round trip."""
