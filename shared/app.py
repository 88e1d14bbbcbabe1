"""The web application: middleware, problem documents, health, metrics, documents."""

import time
from collections.abc import Mapping, Sequence
from functools import cache

import structlog
from fastapi import FastAPI
from prometheus_client import Counter, Histogram
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared import metrics, tracing
from shared.auth import Caller, TokenVerifier, missing_token
from shared.headers import completed
from shared.health import Health, livez, metrics_page, readyz
from shared.problems import NotFound, Problem, language_of
from shared.refusals import INVALID, answer_failures, failure_of, problem_body, too_large, unavailable, unreadable
from shared.service import Asked, Context, Service

log = structlog.get_logger("http")

OPEN_PATHS = frozenset(
    {"/", "/livez", "/readyz", "/metrics", "/openapi.json", "/asyncapi.json", "/docs", "/registry/v1/oauth/token"}
)
MAX_BODY = 2 * 1024 * 1024
MAX_UPLOAD = 64 * 1024 * 1024
MAX_IN_FLIGHT = 400
MAX_OF_ONE_CLIENT = 200  # whoever waits on streams and long polls leaves room for everybody else
NEVER_REFUSED = frozenset({"/livez", "/readyz", "/metrics"})


def is_open(path: str) -> bool:
    """Paths that need no token: health, keys, documents, signing in."""
    return path in OPEN_PATHS or "/.well-known/" in path or path.startswith(("/docs/", "/problems/"))


def create_app(
    services: Sequence[Service], contexts: Mapping[str, Context], verifier: TokenVerifier, health: Health | None = None
) -> "Edge":
    """All routes of `services` with what every route shares."""
    app = FastAPI(
        title="湖南工业清洁生产平台 / Hunan clean-production platform", version="1", docs_url=None, redoc_url=None
    )
    app.state.contexts, app.state.services, app.state.health = dict(contexts), list(services), health or Health()
    app.router.redirect_slashes = False
    for service in services:
        app.include_router(service.router)
    app.add_api_route("/livez", livez, include_in_schema=False)
    app.add_api_route("/readyz", readyz, include_in_schema=False)
    app.add_api_route("/metrics", metrics_page, include_in_schema=False)
    answer_failures(app)
    return Edge(app, verifier)


class Edge:
    """The outermost layer: correlation, tokens, size and load limits, and a problem document for every failure."""

    def __init__(self, api: FastAPI, verifier: TokenVerifier) -> None:
        self.api, self._verifier, self._in_flight = api, verifier, 0
        self._of_client: dict[str, int] = {}
        self._app: ASGIApp = api
        contexts: dict[str, Context] = api.state.contexts
        self._shortcuts = [(way, contexts[s.name]) for s in api.state.services if s.name in contexts for way in s.shortcuts]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        request_id = tracing.request_id_from(headers.get(b"x-request-id", ""))
        answer = _Answer(scope, send, request_id, headers.get(b"accept-language", ""))
        self._in_flight += 1
        try:
            with tracing.caused_by(request_id, tracing.traceparent_from(headers.get(b"traceparent", "")), None):
                await self._guarded(scope, receive, headers, answer)
        finally:
            self._in_flight -= 1
            self._let_go(scope)
            answer.measure()
        return None

    async def _guarded(self, scope: Scope, receive: Receive, headers: dict[bytes, str], answer: "_Answer") -> None:
        try:
            self._admit(scope, headers)
            if await self._answered_shortly(scope, headers, answer):
                return
            await self._app(scope, _limited(receive, _limit_of(headers)), answer.send)
        except Problem as problem:
            await answer.problem(problem)
        except ClientDisconnect:
            log.info("http.caller_gone", path=scope["path"])
        except Exception as error:
            failure = failure_of(error)
            if failure.code == "internal_error":
                log.exception("http.failed", path=scope["path"])
            await answer.problem(failure)

    async def _answered_shortly(self, scope: Scope, headers: dict[bytes, str], answer: "_Answer") -> bool:
        """A hot read past all routing: matching the routes before it would cost more than the read."""
        caller = scope["state"].get("caller")
        if caller is None or scope["method"] != "GET" or scope.get("query_string"):
            return False
        for way, context in self._shortcuts:
            if name := way.name_in(scope["path"]):
                found = await way.answer(Asked(context, caller, name, headers.get(b"if-none-match", "")))
                if found is None:
                    return False
                scope["route"] = way
                await answer.send({"type": "http.response.start", "status": found[0], "headers": found[1]})
                await answer.send({"type": "http.response.body", "body": found[2]})
                return True
        return False

    def _admit(self, scope: Scope, headers: dict[bytes, str]) -> None:
        if self._in_flight > MAX_IN_FLIGHT and scope["path"] not in NEVER_REFUSED:
            raise unavailable()
        scope.setdefault("state", {})
        authorization = headers.get(b"authorization", "")
        scheme, _, token = authorization.partition(" ")
        if not is_open(scope["path"]):
            if scheme.lower() != "bearer" or not token:
                raise missing_token()
            self._take_in(scope, self._verifier.caller(token.strip(), time.time()))
        if "\x00" in scope["path"]:
            raise NotFound()  # no name of ours holds a NUL, and PostgreSQL could not be asked
        if b"%00" in scope.get("query_string", b""):
            raise unreadable("invalid", INVALID[1])
        length = headers.get(b"content-length", "0")
        if length.isdecimal() and int(length) > _limit_of(headers):
            raise too_large()

    def _take_in(self, scope: Scope, caller: Caller) -> None:
        mine = self._of_client.get(caller.client_id, 0)
        if mine >= MAX_OF_ONE_CLIENT:
            raise unavailable()
        self._of_client[caller.client_id] = mine + 1
        scope["state"]["caller"] = caller

    def _let_go(self, scope: Scope) -> None:
        caller = scope.get("state", {}).get("caller")
        if caller is not None:
            left = self._of_client.pop(caller.client_id) - 1
            if left:
                self._of_client[caller.client_id] = left


def _limit_of(headers: dict[bytes, str]) -> int:
    return MAX_UPLOAD if headers.get(b"content-type", "").startswith("multipart/") else MAX_BODY


def _limited(receive: Receive, limit: int) -> Receive:
    read = 0

    async def counted() -> Message:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        if read > limit:
            raise too_large()
        return message

    return counted


class _Answer:
    """The answer on its way out: adds the request id, remembers the status, writes problems."""

    def __init__(self, scope: Scope, send: Send, request_id: str, accept_language: str) -> None:
        self._scope, self._send, self._request_id = scope, send, request_id
        self._language = language_of(accept_language)
        self._started, self._status, self._began = False, 500, time.perf_counter()
        scope.setdefault("state", {}).update(language=self._language, request_id=request_id)

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._started, self._status = True, message["status"]
            message = {**message, "headers": completed(message["headers"], self._request_id)}
        await self._send(message)

    async def problem(self, problem: Problem) -> None:
        if self._started:
            return
        body = problem_body(problem, self._scope["path"], self._request_id, self._language)
        headers = [(b"content-type", b"application/problem+json"), (b"content-length", str(len(body)).encode())]
        headers += [(name.lower().encode(), value.encode()) for name, value in problem.headers.items()]
        await self.send({"type": "http.response.start", "status": problem.status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})

    def measure(self) -> None:
        route = getattr(self._scope.get("route"), "path", "unmatched")
        counter, histogram = _meters(self._scope["method"], route, self._status)
        counter.inc()
        histogram.observe(time.perf_counter() - self._began)


@cache
def _meters(method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    service = route.split("/", 2)[1] if route.count("/") > 1 else "platform"
    return metrics.REQUESTS.labels(service, method, route, str(status)), metrics.LATENCY.labels(service, route)
