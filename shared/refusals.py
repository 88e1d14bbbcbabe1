"""Every refusal and failure as a problem document (RFC 9457), whoever noticed it: a route, the framework, the database."""

import json

import sqlalchemy as sa
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Match

from shared.db import unwell
from shared.problems import Fault, NotFound, Problem, Text, TooLarge, Unavailable, Unprocessable

log = structlog.get_logger("http")


def answer_failures(app: FastAPI) -> None:
    """Let the application answer what its routes raise."""
    app.add_exception_handler(Problem, _answer_problem)
    app.add_exception_handler(RequestValidationError, _answer_invalid)
    app.add_exception_handler(HTTPException, _answer_http)
    app.add_exception_handler(Exception, _answer_failure)


def too_large() -> TooLarge:
    return TooLarge("file_too_large", Text("请求内容超过上限。", "The request is larger than allowed."))


def unavailable() -> Unavailable:
    problem = Unavailable(
        "overloaded",
        Text("系统繁忙，请稍后重试；本次请求未产生任何影响。", "Busy now, try again soon; this request had no effect."),
    )
    problem.headers["Retry-After"] = "1"
    return problem


def failure_of(error: Exception) -> Problem:
    """Our database being away is a reason to try again, a value that it cannot hold is refused; the rest is a defect."""
    if unwell(error):
        log.warning("http.database_unavailable", error=repr(error)[:500])
        return unavailable()
    if isinstance(error, sa.exc.DataError):
        log.warning("http.value_refused", error=str(error.orig)[:500])
        return unreadable("invalid", INVALID[1])
    text = Text("系统内部错误，请凭请求编号联系我们。", "Something went wrong on our side; quote the request id.")
    return Problem("internal_error", text)


def problem_body(problem: Problem, path: str, request_id: str, language: str) -> bytes:
    document = problem.as_json(language) | {"instance": path, "request_id": request_id}
    return json.dumps(document, ensure_ascii=False, default=str).encode()


async def _answer_problem(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, Problem)
    state = request.state
    log.info("http.refused", code=problem.code, status=problem.status, path=request.url.path)
    body = problem_body(problem, request.url.path, state.request_id, state.language)
    return Response(body, problem.status, problem.headers, "application/problem+json")


async def _answer_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    problem: Problem = NotFound()
    if error.status_code == 400:  # the framework's word for a body that it cannot read
        return await _answer_problem(request, unreadable("body_unreadable", _UNREADABLE))
    if error.status_code != 404:
        problem = Problem(f"http_{error.status_code}", Text("请求无法处理。", "The request cannot be handled."))
        problem.status = error.status_code
        if error.status_code == 405:
            problem.code, problem.text = (
                "method_not_allowed",
                Text("此路径不支持该方法。", "This path does not know that method."),
            )
            problem.title = Text("方法不支持", "Method not allowed")
        elif error.status_code < 500:
            problem.title = Text("请求有误", "The request is not right")
        problem.headers.update(error.headers or {})
        if error.status_code == 405:
            problem.headers["Allow"] = ", ".join(_methods(request))
    return await _answer_problem(request, problem)


_SHAPES = {
    "missing": ("required", Text("缺少必填内容。", "This is required.")),
    "extra_forbidden": ("unknown_field", Text("未知的字段或参数。", "This field or parameter is not known.")),
    "json_invalid": ("json_invalid", Text("不是有效的 JSON。", "This is not valid JSON.")),
}
INVALID = ("invalid", Text("取值不符合要求。", "This value does not meet the rules."))


_UNREADABLE = Text("无法读取请求内容。", "The body of the request cannot be read.")
_SHAPE = Text("请求内容不符合接口约定。", "The request does not have the agreed shape.")


def unreadable(code: str, text: Text) -> Unprocessable:
    return Unprocessable("invalid_request", _SHAPE, faults=[Fault("", code, text)])


def _methods(request: Request) -> list[str]:
    """Every method that a path knows, over all its routes."""
    known = [*request.app.routes, *(route for service in request.app.state.services for route in service.router.routes)]
    routes = [route for route in known if route.matches(request.scope)[0] is not Match.NONE]
    return sorted({method for route in routes for method in getattr(route, "methods", None) or ()})


async def _answer_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    faults = []
    for item in error.errors():
        code, text = _SHAPES.get(item["type"], INVALID)
        where = [str(part) for part in item["loc"]]
        if where and where[0] == "body":
            where = [] if item["type"] == "json_invalid" else where[1:]
        faults.append(Fault("".join(f"/{_step(part)}" for part in where), code, text))
    return await _answer_problem(request, Unprocessable("invalid_request", _SHAPE, faults=faults))


def _step(name: str) -> str:
    """One step of a JSON pointer; a caller's own field name is shown so far as it can be one."""
    return name[:100].replace("~", "~0").replace("/", "~1")


async def _answer_failure(request: Request, error: Exception) -> Response:
    return await _answer_problem(request, failure_of(error))
