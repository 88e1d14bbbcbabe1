"""Subscriptions: made, verified, tested, changed, paused, enabled, deleted by their owner."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Path, Request, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from services.notifications import webhooks
from services.notifications.actions import subscriptions as actions
from services.notifications.actions.subscriptions import Wish
from services.notifications.models import Subscription
from services.notifications.queries.deliveries import get_subscription, subscriptions_of
from services.notifications.rules import unknown_patterns
from services.notifications.targets import TargetProblem, check_url
from services.notifications.transport import Outgoing, Sent, Transport, resolve_ok
from shared.clock import local_time, utc_now
from shared.http import (
    Body,
    Ctx,
    IfMatch,
    Me,
    Tx,
    allow_version,
    creates,
    etag,
    guarded,
    json_answer,
    needs,
    require_version,
    service_router,
)
from shared.paging import After, Limit, filters_of, page, position
from shared.problems import Fault, Text, Unprocessable
from shared.service import Context

router = service_router("notifications")
READ, WRITE = "notifications:subscriptions:read", "notifications:subscriptions:write"


class Filter(Body):
    """Narrows a subscription to enterprises or to a place (the first 2, 4 or 6 digits of a division)."""

    uscc: list[Annotated[str, Field(min_length=18, max_length=18)]] | None = Field(
        default=None, min_length=1, max_length=500
    )
    division: str | None = Field(default=None, pattern=r"^[0-9]{2}([0-9]{2}([0-9]{2})?)?$", examples=["4302"])


Patterns = Annotated[list[Annotated[str, Field(max_length=100)]], Field(min_length=1, max_length=100)]


class Subscribe(Body):
    """Where to push which events, and of whom."""

    url: str = Field(max_length=4000, examples=["https://receiver.example.org/events"])
    types: Patterns = Field(examples=[["audits.acceptance.recorded.v1", "incentives.*"]])
    filter: Filter | None = None


class ChangeSubscription(Body):
    """A merge-patch: what is not given stays; `filter: null` takes the filter away; another url is verified again."""

    url: str = Field(default="", max_length=4000)
    types: Patterns = Field(default=[])
    filter: Filter | None = None


class SubscriptionOut(BaseModel):
    """A subscription; `allowed` are the moves that its state allows."""

    id: UUID
    url: str
    types: list[str]
    filter: Filter | None
    state: str
    allowed: list[str]
    created_at: datetime
    version: int


class NewSubscriptionOut(SubscriptionOut):
    """A subscription with its secret, which is shown this once."""

    secret: str


class SubscriptionsOut(BaseModel):
    """A page of subscriptions."""

    items: list[SubscriptionOut]
    next: str | None


class AttemptOut(BaseModel):
    """One POST and what came back."""

    n: int
    started_at: datetime
    duration_ms: int
    http_status: int | None
    error_code: str | None


def visible(subscription_id: Annotated[UUID, Path()], me: Me, ctx: Ctx) -> Subscription:
    """The caller's own subscription, read apart from the request's transaction; 404 for anybody else."""
    with ctx.db.read() as tx:
        return get_subscription(tx, me, subscription_id)


Mine = Annotated[Subscription, Depends(visible)]


def out(found: Subscription, **more: Any) -> dict[str, Any]:
    narrowed = {"uscc": found.only_usccs, "division": found.only_division}
    given = {name: value for name, value in narrowed.items() if value is not None}
    return {
        "id": str(found.id),
        "url": found.url,
        "types": found.types,
        "filter": given or None,
        "state": found.state.value,
        "allowed": found.allowed,
        "created_at": local_time(found.made_at).isoformat(),
        "version": found.version,
    } | more


def answered(request: Request, found: Subscription, *, status: int = 200, **more: Any) -> Response:
    kept = {"Cache-Control": "no-store"} if "secret" in more else {}
    return json_answer(request, out(found, **more), status=status, headers={"ETag": etag(found.version)} | kept)


@router.post("/subscriptions", status_code=201, response_model=NewSubscriptionOut, dependencies=[needs(WRITE), creates])
async def subscribe(request: Request, body: Subscribe, tx: Tx, me: Me, ctx: Ctx) -> Response:
    """Subscribe; nothing is sent before it is verified, and everything from now on is sent then."""
    wish = _wish(body.url, body.types, body.filter)
    await _refuse_wrong(ctx, wish, new_url=True)
    made, secret = await run_in_threadpool(actions.subscribe, tx, me, wish, ctx.sealer)
    answer = answered(request, made, status=201, secret=secret)
    answer.headers["Location"] = f"/notifications/v1/subscriptions/{made.id}"
    return answer


@router.get("/subscriptions", response_model=SubscriptionsOut, dependencies=[needs(READ)])
def list_subscriptions(
    request: Request, response: Response, tx: Tx, me: Me, limit: Limit = 100, after: After = None
) -> Any:
    """The caller's subscriptions, the oldest first."""
    rows = subscriptions_of(tx, me, position(after, filters_of(request), 2), limit)
    return page(request, response, rows, limit, lambda s: (s.made_at.isoformat(), s.id), out)


@router.get(
    "/subscriptions/{subscription_id}", response_model=SubscriptionOut, dependencies=guarded(visible, scope=READ)
)
def read_subscription(request: Request, mine: Mine) -> Response:
    """One subscription, without its secret."""
    return answered(request, mine)


@router.patch(
    "/subscriptions/{subscription_id}", response_model=SubscriptionOut, dependencies=guarded(visible, scope=WRITE)
)
async def change_subscription(
    request: Request, body: ChangeSubscription, mine: Mine, tx: Tx, me: Me, ctx: Ctx, if_match: IfMatch = None
) -> Response:
    """Change url, types or filter; another url makes it pending, and what is owed waits for its verification."""
    require_version(if_match, mine.version)
    given = body.model_fields_set
    before = Filter(uscc=mine.only_usccs, division=mine.only_division)
    url, types = body.url if "url" in given else mine.url, body.types if "types" in given else mine.types
    wish = _wish(url, types, body.filter if "filter" in given else before)
    await _refuse_wrong(ctx, wish, new_url=wish.url != mine.url)

    def change() -> Subscription:
        found = actions.get_for_change(tx, mine.id)
        require_version(if_match, found.version)
        return actions.change(tx, me, found, wish)

    return answered(request, await run_in_threadpool(change))


@router.delete("/subscriptions/{subscription_id}", status_code=204, dependencies=guarded(visible, scope=WRITE))
def unsubscribe(mine: Mine, tx: Tx, if_match: IfMatch = None) -> None:
    """End it; what is still owed is not sent any more."""
    found = actions.get_for_change(tx, mine.id)
    allow_version(if_match, found.version)
    actions.unsubscribe(tx, found)


@router.post(
    "/subscriptions/{subscription_id}/verify",
    response_model=SubscriptionOut,
    dependencies=guarded(visible, scope=WRITE),
)
async def verify_subscription(request: Request, mine: Mine, tx: Tx, ctx: Ctx, if_match: IfMatch = None) -> Response:
    """Post a signed challenge to the url; an answer 200 that holds it makes the subscription active."""
    allow_version(if_match, mine.version)
    mine.require_move("verify")
    challenge, post = webhooks.challenge(webhooks.receiver_of(ctx, mine))
    sent = await _send(ctx, post)
    if sent.http_status != 200 or not sent.succeeded or challenge.encode() not in sent.response_head:
        raise _not_verified(sent)

    def activate() -> Subscription:
        found = actions.get_for_change(tx, mine.id)
        if found.url != mine.url:
            raise _not_verified(sent)
        return actions.activate(tx, found, "verify", ctx.clock.today())

    return answered(request, await run_in_threadpool(activate))


@router.post(
    "/subscriptions/{subscription_id}/test", response_model=AttemptOut, dependencies=guarded(visible, scope=WRITE)
)
async def test_subscription(mine: Mine, ctx: Ctx) -> AttemptOut:
    """Send a signed test event now, in any state; answers with the attempt."""
    started = utc_now()
    sent = await _send(ctx, webhooks.test_event(webhooks.receiver_of(ctx, mine), mine.id))
    failed = None if sent.succeeded else sent.error_code or "http_status"
    return AttemptOut(
        n=1,
        started_at=local_time(started),
        duration_ms=sent.duration_ms,
        http_status=sent.http_status,
        error_code=failed,
    )


@router.post(
    "/subscriptions/{subscription_id}/pause", response_model=SubscriptionOut, dependencies=guarded(visible, scope=WRITE)
)
def pause_subscription(request: Request, mine: Mine, tx: Tx, if_match: IfMatch = None) -> Response:
    """Stop sending; what it is owed is kept."""
    found = actions.get_for_change(tx, mine.id)
    allow_version(if_match, found.version)
    return answered(request, actions.pause(tx, found))


@router.post(
    "/subscriptions/{subscription_id}/enable",
    response_model=SubscriptionOut,
    dependencies=guarded(visible, scope=WRITE),
)
def enable_subscription(request: Request, mine: Mine, tx: Tx, ctx: Ctx, if_match: IfMatch = None) -> Response:
    """Go on where it stopped: everything since then is sent, in order."""
    found = actions.get_for_change(tx, mine.id)
    allow_version(if_match, found.version)
    return answered(request, actions.activate(tx, found, "enable", ctx.clock.today()))


@router.post(
    "/subscriptions/{subscription_id}/rotate-secret",
    response_model=NewSubscriptionOut,
    dependencies=guarded(visible, scope=WRITE),
)
def rotate_secret(request: Request, mine: Mine, tx: Tx, ctx: Ctx, if_match: IfMatch = None) -> Response:
    """A new secret, shown this once; for 24 hours both sign."""
    found = actions.get_for_change(tx, mine.id)
    allow_version(if_match, found.version)
    return answered(request, found, secret=actions.rotate_secret(found, ctx.sealer))


def _wish(url: str, types: list[str], narrowed: Filter | None) -> Wish:
    usccs, division = (narrowed.uscc, narrowed.division) if narrowed else (None, None)
    return Wish(url=url, types=types, only_usccs=usccs, only_division=division)


async def _refuse_wrong(ctx: Context, wish: Wish, *, new_url: bool) -> None:
    """422 `type_unknown`, 422 `target_not_allowed`."""
    if unknown := unknown_patterns(wish.types):
        text = Text("未知的事件类型。", "This event type is not known.")
        raise Unprocessable(
            "type_unknown", text, faults=[Fault(f"/types/{at}", "type_unknown", text) for at in unknown]
        )
    allow = webhooks.allowed_targets(ctx)
    if new_url and (problem := check_url(wish.url, allow) or await resolve_ok(wish.url, allow)):
        raise _refused(problem)


def _refused(problem: TargetProblem) -> Unprocessable:
    text = Text(problem.zh, problem.en)
    return Unprocessable(problem.code, text, faults=[Fault("/url", problem.code, text)])


def _not_verified(sent: Sent) -> Unprocessable:
    text = Text("接收端没有正确应答验证请求。", "The receiver did not answer the challenge.")
    code = "target_not_allowed" if sent.error_code == "target_not_allowed" else "verification_failed"
    return Unprocessable(code, text, http_status=sent.http_status, error_code=sent.error_code)


async def _send(ctx: Context, post: Outgoing) -> Sent:
    async with Transport(webhooks.allowed_targets(ctx)) as transport:
        return await transport.send(post)
