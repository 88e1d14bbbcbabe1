"""The HTTP edge: who calls, one transaction per request committed before the answer, versions, query checks."""

import hashlib
import json
import re
from collections.abc import Callable, Coroutine, Iterator, Sequence
from inspect import iscoroutinefunction
from typing import Annotated, Any

from anyio import CancelScope, CapacityLimiter
from anyio.lowlevel import RunVar
from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import get_flat_params
from fastapi.exceptions import RequestValidationError
from fastapi.params import Depends as DependsParam
from fastapi.params import File as FileParam
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, field_validator
from sqlmodel import Session
from starlette.concurrency import run_in_threadpool

from shared.auth import Caller, missing_token
from shared.crashpoints import crash_point
from shared.idempotency import Claim, claim, fingerprint, remember
from shared.problems import BadRequest, Forbidden, PreconditionFailed, PreconditionRequired, Text, Unprocessable
from shared.service import Context

# A request waits for a row lock on a thread. More of them than threads, and the one that holds the lock would find
# no thread to commit on: fewer requests are at work than there are threads (40) and connections, the rest wait.
AT_WORK = 32
# An instant is often pasted into a URL as we show it; there its `+` would mean a blank.
_BARE_OFFSET = re.compile(rb"(known_at=[^&+]*)\+(?=[0-9]{2}(?::|%3[Aa])?[0-9]{2}(?:&|$))")
_at_work: RunVar[CapacityLimiter] = RunVar("at_work")


def _places() -> CapacityLimiter:
    try:
        return _at_work.get()
    except LookupError:
        _at_work.set(CapacityLimiter(AT_WORK))
        return _at_work.get()


class Body(BaseModel):
    """A request body: unknown fields are refused, text is trimmed."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, str_max_length=10_000)

    @field_validator("*", mode="before")
    @classmethod
    def _without_nul(cls, given: Any) -> Any:
        """PostgreSQL has no text with NUL in it; such a value is wrong, not a failure of ours."""
        if "\\u0000" in json.dumps(given, default=str):
            raise ValueError("NUL is not text")
        return given


class Unit:
    """The transaction of one request, opened when first asked for."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._session: Session | None = None

    def session(self) -> Session:
        if self._session is None:
            self._session = self.context.db.session()
        return self._session

    def commit(self) -> None:
        if self._session is not None:
            crash_point("action.before_commit")
            self._session.commit()
            self._session.close()
            self._session = None
            crash_point("action.after_commit")

    def rollback(self) -> None:
        if self._session is not None:
            session, self._session = self._session, None
            session.close()  # rolls back what is open


def context_of(request: Request) -> Context:
    """The context of the service that a path belongs to."""
    service = request.url.path.split("/", 2)[1]
    return request.app.state.contexts[service]  # type: ignore[no-any-return]


class ServiceRoute(APIRoute):
    """A route whose commit happens before its answer leaves; an exception or a refusal rolls back."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        options["dependencies"] = [*(options.get("dependencies") or []), Depends(refuse_unknown_names)]
        super().__init__(path, endpoint, **options)
        flat = get_flat_params(self.dependant)
        self.query_names = {field.alias for field in flat if field.field_info.__class__.__name__ == "Query"}
        parts = self.dependant.body_params
        uploads = any(isinstance(part.field_info, FileParam) for part in parts)
        self.part_names = {part.alias for part in parts} if uploads else set()
        self.scopes = scopes_of(self.dependant)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def in_one_transaction(request: Request) -> Response:
            unit = Unit(context_of(request))
            request.state.unit, request.state.cursor_key = unit, unit.context.sealer.cursor_key
            request.scope["query_string"] = _BARE_OFFSET.sub(rb"\1%2B", request.scope["query_string"])
            try:
                given = await _claimed(request, unit)
                if given.answer is not None:
                    _require_a_scope(request, self.scopes)
                    return given.answer
                response = await handle(request)
                if response.status_code < 400:
                    await run_in_threadpool(_finish, unit, given, response)
                return response
            finally:
                with CancelScope(shield=True):  # a cancelled request gives its connection back too
                    await run_in_threadpool(unit.rollback)

        async def in_its_place(request: Request) -> Response:
            if request.method not in ("GET", "HEAD"):
                await request.body()  # a slow caller holds no place
            async with _places():
                return await in_one_transaction(request)

        # What is async waits on the event loop (a long poll), not on a thread.
        return in_one_transaction if iscoroutinefunction(self.endpoint) else in_its_place


def dependencies_of(dependant: Dependant) -> Iterator[Dependant]:
    """A dependant and everything that it rests on."""
    yield dependant
    for inner in dependant.dependencies:
        yield from dependencies_of(inner)


def scopes_of(dependant: Dependant) -> frozenset[str]:
    """The scopes that a route's checks name; any one of them opens it."""
    checks = [d.call for d in dependencies_of(dependant)]
    alone = {scope for check in checks if (scope := getattr(check, "scope", ""))}
    return frozenset(alone.union(*(getattr(check, "or_scopes", ()) for check in checks)))


def _require_a_scope(request: Request, scopes: frozenset[str]) -> None:
    """A stored answer is only for a token that may make the call: the client's key may come with a narrower one."""
    if scopes and not any(request.state.caller.may(scope) for scope in scopes):
        raise Forbidden()


def _finish(unit: Unit, given: Claim, response: Response) -> None:
    if given.key:
        remember(unit.session(), unit.context.sealer, given, response)
    unit.commit()


async def _claimed(request: Request, unit: Unit) -> Claim:
    key = request.headers.get("idempotency-key", "")
    caller = getattr(request.state, "caller", None)
    if request.method != "POST" or not key or caller is None:
        return Claim()
    if len(key) > 200:
        raise BadRequest("idempotency_key_invalid", Text("Idempotency-Key 过长。", "The Idempotency-Key is too long."))
    mark = fingerprint(request, await request.body())
    return await run_in_threadpool(claim, unit.session(), unit.context.sealer, caller.client_id, key, mark)


def service_router(service: str) -> APIRouter:
    """The router of a service, under `/<service>/v1`."""
    return APIRouter(prefix=f"/{service}/v1", route_class=ServiceRoute, tags=[service])


def _tx(request: Request) -> Session:
    return request.state.unit.session()  # type: ignore[no-any-return]


def _caller(request: Request) -> Caller:
    caller = getattr(request.state, "caller", None)
    if caller is None:
        raise missing_token()
    return caller  # type: ignore[no-any-return]


Tx = Annotated[Session, Depends(_tx)]
Ctx = Annotated[Context, Depends(context_of)]
Me = Annotated[Caller, Depends(_caller)]


def needs(scope: str, *roles: str) -> DependsParam:
    """The caller must hold `scope` and, where roles are named, have one of them; else 403 `forbidden`."""

    def check(me: Me) -> None:
        if not me.may(scope) or (roles and me.role not in roles):
            raise Forbidden()

    check.scope = scope  # type: ignore[attr-defined]
    dependency: DependsParam = Depends(check)
    return dependency


def _creates(request: Request, idempotency_key: Annotated[str | None, Header()] = None) -> None:
    if not idempotency_key:
        raise BadRequest(
            "idempotency_key_required",
            Text("创建类请求必须携带 Idempotency-Key。", "A creating POST must carry an Idempotency-Key."),
        )


creates: DependsParam = Depends(_creates)


async def refuse_unknown_names(request: Request) -> None:
    """Query parameters and upload fields that the route does not declare are a mistake worth telling: 422."""
    route = request.scope["route"]
    unknown = [("query", name) for name in sorted(set(request.query_params) - route.query_names)]
    if route.part_names and request.headers.get("content-type", "").lower().startswith("multipart/"):
        unknown += [("body", name) for name in sorted(set(await request.form()) - route.part_names)]
    if unknown:
        raise RequestValidationError([{"type": "extra_forbidden", "loc": at, "msg": "unknown"} for at in unknown])


def etag(version: int | str) -> str:
    return f'"{version}"'


def content_tag(content: bytes) -> str:
    """A strong ETag made of the content itself."""
    return f'"{hashlib.sha256(content).hexdigest()[:32]}"'


def _tags(header: str) -> list[str]:
    return [tag.strip().removeprefix("W/").strip('"') for tag in header.split(",")]


def require_version(if_match: str | None, version: int) -> None:
    """428 without a condition, 412 where it names another version than the resource has."""
    if not if_match:
        raise PreconditionRequired(
            "if_match_required", Text("请在 If-Match 中给出当前版本。", "Name the current version in If-Match.")
        )
    allow_version(if_match, version)


def allow_version(if_match: str | None, version: int) -> None:
    """412 where a condition is given and names another version; without one, nothing."""
    if if_match and "*" not in _tags(if_match) and str(version) not in _tags(if_match):
        raise PreconditionFailed(
            "version_stale",
            Text("资源已被他人修改，请重新读取。", "Somebody else has changed it; read it again."),
            version=version,
        )


IfMatch = Annotated[str | None, Header(alias="If-Match")]


def json_answer(
    request: Request, document: Any, *, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """A JSON answer with a strong ETag; 304 where the reader already has it."""
    content = json.dumps(document, ensure_ascii=False, separators=(",", ":"), default=str).encode()
    tags = {"ETag": content_tag(content), "Cache-Control": "private, no-cache"} | (headers or {})
    known = _tags(request.headers.get("if-none-match", ""))
    if status == 200 and (tags["ETag"].strip('"') in known or "*" in known):
        return Response(status_code=304, headers=tags)
    return Response(content, status, tags, "application/json")


def shape_fault(pointer: str, zh: str, en: str, code: str = "invalid") -> Unprocessable:
    """A single 422 for a value that is wrong by its own rule."""
    from shared.problems import Fault

    return Unprocessable(code, Text(zh, en), faults=[Fault(pointer, code, Text(zh, en))])


def guarded(*first: Any, scope: str, roles: Sequence[str] = (), creating: bool = False) -> list[DependsParam]:
    """A route's checks in the contract's order: visible (404), then role and scope (403), then the key (400)."""
    seen: list[DependsParam] = [Depends(check) for check in first]
    return [*seen, needs(scope, *roles), *([creates] if creating else [])]
