"""The event catalogue, the feed and the stream, and the keys that signatures are checked with."""

import asyncio
import time
from collections.abc import AsyncIterator
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import Header, Query, Request, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from services.notifications.actions.log import EVENTS
from services.notifications.queries import feed
from services.notifications.queries.catalogue import event_types
from services.notifications.queries.feed import Asked, FeedPage, cursor_of
from services.notifications.signing import jwks
from services.notifications.waking import waker_of
from services.notifications.webhooks import signing_keys
from shared.auth import TOKEN_SECONDS
from shared.http import Ctx, Me, json_answer, needs, service_router
from shared.service import Context

router = service_router("notifications")
READ = "notifications:events:read"
HEARTBEAT = 15.0
STREAM_PAGE = 200

FeedAfter = Annotated[str | None, Query(max_length=200, description="A cursor, or `latest`; omitted: the oldest kept")]
Types = Annotated[str | None, Query(max_length=2000, examples=["audits.acceptance.recorded.v1,incentives.*"])]


class EventTypeOut(BaseModel):
    """A type of event that can be subscribed to."""

    type: str
    audience: Literal["public", "parties", "decision", "utility", "enterprise_ecology", "consent"]
    description: str
    json_schema: dict[str, Any] = Field(alias="schema")
    example: dict[str, Any]


class EventTypesOut(BaseModel):
    """The catalogue, whole."""

    items: list[EventTypeOut]
    next: None = None


class FeedOut(BaseModel):
    """A page of the feed; the events are CloudEvents, byte for byte those of webhooks and stream."""

    events: list[dict[str, Any]]
    cursor: str
    has_more: bool


@router.get("/event-types", response_model=EventTypesOut, dependencies=[needs(READ)])
def list_event_types(request: Request) -> Response:
    """Every type that somebody outside may see: audience, description, JSON Schema, example."""
    return json_answer(request, {"items": event_types(), "next": None})


@router.get("/events", response_model=FeedOut, dependencies=[needs(READ)])
async def read_feed(
    me: Me,
    ctx: Ctx,
    after: FeedAfter = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    types: Types = None,
    wait: Annotated[int, Query(ge=0, le=30, description="Seconds to wait for an event where there is none")] = 0,
) -> Response:
    """The events that the caller may see, in the order in which they were committed."""
    asked = partial(Asked, me, feed.parse_types(types), limit)
    start = await run_in_threadpool(_start, ctx, after)
    page = await _page(ctx, asked(ctx.clock.today()), start)
    if wait and not page.items and not page.has_more:
        page = await _wait_for_page(ctx, asked, page.seq, time.monotonic() + wait)
    return Response(page.as_json(), headers={"Cache-Control": "no-store"}, media_type="application/json")


async def _wait_for_page(ctx: Context, asked: "partial[Asked]", after: int, until: float) -> FeedPage:
    """Neither a thread nor a database session is held while nothing happens."""
    async with waker_of(ctx, EVENTS).alarm() as alarm:
        while True:
            page = await _page(ctx, asked(ctx.clock.today()), after)
            left = until - time.monotonic()
            if page.items or left <= 0:
                return page
            after = page.seq
            if not page.has_more:
                await alarm.wait(left)


@router.get("/events/stream", dependencies=[needs(READ)], response_class=StreamingResponse)
async def stream_events(
    me: Me,
    ctx: Ctx,
    after: FeedAfter = None,
    types: Types = None,
    last_event_id: Annotated[str | None, Header(max_length=200)] = None,
) -> Response:
    """The feed as server-sent events: `id` the cursor, `event` the type, `data` the event. Ends with the token."""
    asked = partial(Asked, me, feed.parse_types(types), STREAM_PAGE)
    start = await run_in_threadpool(_start, ctx, last_event_id or after)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    now = time.time()
    end = time.monotonic() + min(me.expires, now + TOKEN_SECONDS) - now
    return StreamingResponse(_frames(ctx, asked, start, end), 200, headers, "text/event-stream")


async def _frames(ctx: Context, asked: "partial[Asked]", after: int, end: float) -> AsyncIterator[bytes]:
    yield b"retry: 1000\n\n"
    async with waker_of(ctx, EVENTS).alarm() as alarm:
        beat = time.monotonic() + HEARTBEAT
        while (now := time.monotonic()) < end:
            page = await _page(ctx, asked(ctx.clock.today()), after)
            for item in page.items:
                yield _frame(page, item)
            after = page.seq
            if page.items:
                beat = now + HEARTBEAT
            if page.has_more:
                await asyncio.sleep(0)
                continue
            if now >= beat:
                yield b": heartbeat\n\n"
                beat = now + HEARTBEAT
            await alarm.wait(min(beat, end) - time.monotonic())


def _frame(page: FeedPage, item: feed.Item) -> bytes:
    head = f"id: {cursor_of(page.epoch, item.seq)}\nevent: {item.type}\ndata: "
    return head.encode() + item.body + b"\n\n"


@router.get("/.well-known/webhook-keys.json")
def read_webhook_keys(request: Request, ctx: Ctx) -> Response:
    """The Ed25519 keys (JWKS) of `v1a` signatures."""
    headers = {"Cache-Control": "public, max-age=3600"}
    return json_answer(request, jwks(signing_keys(ctx)), headers=headers)


def _start(ctx: Context, after: str | None) -> int:
    with ctx.db.read() as tx:
        return feed.start_of(tx, after)


async def _page(ctx: Context, asked: Asked, after: int) -> FeedPage:
    def read() -> FeedPage:
        with ctx.db.read() as tx:
            return feed.read_page(tx, asked, after)

    return await run_in_threadpool(read)
