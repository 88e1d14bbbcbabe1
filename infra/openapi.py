"""The OpenAPI document of all services: what FastAPI knows, plus scopes, refusals and how to sign in."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute

from shared import http
from shared.app import is_open
from shared.imports.routes import XLSX
from shared.service import Service

PROBLEM = "application/problem+json"
TOKEN_URL = "/registry/v1/oauth/token"  # noqa: S105 - an address, not a secret
DESCRIPTION = """清洁生产审核的唯一记录与事实流。每个操作标明所需授权范围（`x-required-scope`，多个时任一即可）与可能的拒绝。
登录：`POST /registry/v1/oauth/token`（client_credentials，HTTP Basic），令牌十分钟有效。

The one record and the one stream of facts about clean-production audits. Every operation names the scope that it needs
(`x-required-scope`; of several, any one) and the refusals it may answer with. Sign in at `POST /registry/v1/oauth/token`
(client credentials, HTTP Basic); a token is valid for ten minutes. Events: `/asyncapi.json`. Codes of problems: `/problems/<code>`."""
TAGS = {
    "registry": "企业、机构、专家、同意书、登录 / enterprises, institutions, experts, consents, signing in",
    "audits": "名单、审核、期限、评估验收、审核状态 / lists, rounds, deadlines, evaluation and acceptance, audit status",
    "credit": "环境信用 / environmental credit",
    "incentives": "政策判断与分档名单 / decisions with reasons, tier lists",
    "notifications": "事件流、订阅、推送 / event feed, subscriptions, deliveries",
    "sandbox": "试用环境的法定日历 / the legal calendar of a trial instance",
}
FILES = {".xlsx": XLSX, "/workbook": XLSX, ".ics": "text/calendar"}  # what a path that ends like this answers with
REFUSALS = {
    400: "请求不完整，例如缺少 Idempotency-Key / not complete, for example without Idempotency-Key",
    401: "没有令牌或令牌无效 / no token, or not a valid one",
    403: "角色或授权范围不允许 / the role or scope does not allow this",
    404: "不存在，或不在管辖范围内 / not there, or not yours to see",
    409: "当前状态不允许 / not possible in the current state",
    412: "版本已变化 / the version has changed",
    413: "内容过大 / too large",
    422: "内容不符合要求，逐项说明 / does not meet the rules, item by item",
    428: "缺少 If-Match / If-Match is missing",
    503: "暂时不可用，Retry-After 后重试 / temporarily away, retry after Retry-After",
}


@dataclass(frozen=True)
class Operation:
    """What a route asks of its caller; any one of `scopes` opens it."""

    scopes: tuple[str, ...]
    creates: bool
    versioned: bool
    addressed: bool
    sends: bool
    open: bool

    @property
    def refusals(self) -> list[int]:
        """The statuses of the problems that the operation may answer with, in the order of the checks."""
        asked = {
            401: not self.open,
            404: self.addressed,
            403: bool(self.scopes),
            400: self.creates,
            413: self.sends,
            422: True,
            428: self.versioned,
            412: self.versioned,
            409: self.sends,
            503: True,
        }
        return [status for status, is_asked in asked.items() if is_asked]


def document(api: FastAPI, services: Sequence[Service]) -> dict[str, Any]:
    """The whole document; `api` holds the routes of all `services` and perhaps some of its own."""
    found: dict[str, Any] = FastAPI.openapi(api)
    operations = {key: o for service in services for key, o in operations_of(service.router)}
    used: set[str] = set()
    for path, methods in found["paths"].items():
        for method, described in methods.items():
            operation = operations.get((path, method)) or _unlisted(path, method)
            _complete(path, described, operation)
            used |= set(operation.scopes)
    found["info"]["description"] = DESCRIPTION
    found["tags"] = [{"name": n, "description": t} for n, t in TAGS.items() if n in _tags(found)]
    components = found.setdefault("components", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        components.setdefault("schemas", {}).pop(unused, None)
    components["schemas"] |= {"Problem": _PROBLEM_SCHEMA}
    components["responses"] = {f"Problem{status}": _refusal(status, text) for status, text in REFUSALS.items()}
    components["securitySchemes"] = {"oauth2": _security(used)}
    return found


def operations_of(router: APIRouter, prefix: str = "") -> Iterator[tuple[tuple[str, str], Operation]]:
    """Every (path, method) of a router, and of the routers in it."""
    for route in router.routes:
        if isinstance(route, APIRoute):
            path = prefix + route.path_format
            for method in route.methods or ():
                yield (path, method.lower()), _operation(route, path, method)
        elif isinstance(inner := getattr(route, "original_router", None), APIRouter):
            context = getattr(route, "include_context", None)
            yield from operations_of(inner, prefix + getattr(context, "prefix", ""))


def _operation(route: APIRoute, path: str, method: str) -> Operation:
    asked = list(http.dependencies_of(route.dependant))
    headers = {field.alias.lower() for d in asked for field in d.header_params}
    return Operation(
        scopes=tuple(sorted(http.scopes_of(route.dependant))),
        creates=any(d.call is http.creates.dependency for d in asked),
        versioned="if-match" in headers,
        addressed="{" in path,
        sends=method in ("POST", "PATCH", "PUT", "DELETE"),
        open=is_open(path),
    )


def _unlisted(path: str, method: str) -> Operation:
    return Operation((), False, False, "{" in path, method != "get", is_open(path))


def _complete(path: str, described: dict[str, Any], operation: Operation) -> None:
    described["security"] = (
        [] if operation.open else [{"oauth2": [scope]} for scope in operation.scopes] or [{"oauth2": []}]
    )
    if operation.scopes:
        described["x-required-scope"] = list(operation.scopes)
    for parameter in described.get("parameters", []):
        if parameter["name"].lower() == "idempotency-key":
            parameter["required"] = operation.creates
    answers = described.setdefault("responses", {})
    for status in operation.refusals:
        answers[str(status)] = {"$ref": f"#/components/responses/Problem{status}"}
    for ending, media_type in FILES.items():
        if path.endswith(ending):
            answers["200"]["content"] = {media_type: {}}
    answers["default"] = {"description": "问题文档 / a problem document", "content": _content()}


def _tags(found: dict[str, Any]) -> set[str]:
    return {tag for methods in found["paths"].values() for described in methods.values() for tag in described["tags"]}


def _content(example: dict[str, Any] | None = None) -> dict[str, Any]:
    shown: dict[str, Any] = {"schema": {"$ref": "#/components/schemas/Problem"}}
    return {PROBLEM: shown | ({"example": example} if example else {})}


def _refusal(status: int, text: str) -> dict[str, Any]:
    from infra.problemtypes import known

    kind = next((known()[code] for code in _TYPICAL.get(status, ()) if code in known()), None)
    if kind is None:
        return {"description": text, "content": _content()}
    example: dict[str, Any] = {
        "type": f"/problems/{kind.code.replace('_', '-')}",
        "title": kind.title.zh,
        "status": status,
        "detail": kind.meaning.zh,
        "code": kind.code,
        "instance": "/audits/v1/rounds",
        "request_id": "5f0c1d2e3a4b",
    }
    if status == 422:
        example["errors"] = [
            {"pointer": "/body/uscc", "code": "uscc_check_digit", "message": "统一社会信用代码校验位不符。"}
        ]
    return {"description": text, "content": _content(example)}


_TYPICAL = {
    400: ("idempotency_key_required",),
    401: ("token_missing",),
    403: ("forbidden",),
    404: ("not_found",),
    409: ("move_not_allowed",),
    412: ("version_stale",),
    413: ("file_too_large",),
    422: ("invalid_request",),
    428: ("if_match_required",),
    503: ("overloaded",),
}


def _security(scopes: set[str]) -> dict[str, Any]:
    named = {scope: _scope_text(scope) for scope in sorted(scopes)}
    return {"type": "oauth2", "flows": {"clientCredentials": {"tokenUrl": TOKEN_URL, "scopes": named}}}


def _scope_text(scope: str) -> str:
    service, noun, verb = (*scope.split(":"), "", "")[:3]
    verbs = {"read": "读取 / read", "write": "写入 / write", "decide": "决定 / decide"}
    return f"{verbs.get(verb, verb)}: {service} {noun.replace('_', ' ')}"


_PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "title": "Problem",
    "description": "RFC 9457；程序以 code 判断 / RFC 9457; programs decide by code",
    "required": ["type", "title", "status", "detail", "code", "instance", "request_id"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "instance": {"type": "string"},
        "request_id": {"type": "string"},
        "state": {"type": "string", "description": "move_not_allowed: 当前状态 / the current state"},
        "allowed": {"type": "array", "items": {"type": "string"}, "description": "可行的动作 / the moves it allows"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "code", "message"],
                "properties": {
                    "pointer": {"type": "string", "description": "JSON pointer"},
                    "code": {"type": "string"},
                    "message": {"type": "string"},
                    "clause": {"type": "string", "description": "法律依据 / the clause it rests on"},
                },
            },
        },
    },
}
