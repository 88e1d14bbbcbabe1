"""Errors as RFC 9457 problem documents, with a stable code and a text in zh and en."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Text:
    """A sentence for a person, in both languages."""

    zh: str
    en: str

    def in_language(self, language: str) -> str:
        return self.en if language == "en" else self.zh

    def both(self) -> dict[str, str]:
        return {"zh": self.zh, "en": self.en}


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with a request: where (JSON pointer), which code, which clause it rests on."""

    pointer: str
    code: str
    text: Text
    clause: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self, language: str) -> dict[str, Any]:
        body: dict[str, Any] = {"pointer": self.pointer, "code": self.code, "message": self.text.in_language(language)}
        if self.clause:
            body["clause"] = self.clause
        return body | dict(self.extra)


class Problem(Exception):
    """An expected failure; the edge turns it into `application/problem+json`, a handler's attempt counts as failed."""

    status = 500
    title = Text("系统内部错误", "Something went wrong on our side")

    def __init__(self, code: str, text: Text, *, faults: Sequence[Fault] = (), **extra: Any) -> None:
        super().__init__(f"{code}: {text.en}")
        self.code, self.text, self.faults, self.extra = code, text, list(faults), extra
        self.headers: dict[str, str] = {}

    def as_json(self, language: str) -> dict[str, Any]:
        body: dict[str, Any] = {
            "type": f"/problems/{self.code.replace('_', '-')}",
            "title": self.title.in_language(language),
            "status": self.status,
            "detail": self.text.in_language(language),
            "code": self.code,
        }
        if self.faults:
            body["errors"] = [fault.as_json(language) for fault in self.faults]
        return body | self.extra


class BadRequest(Problem):
    status, title = 400, Text("请求有误", "The request is not complete")


class Unauthorized(Problem):
    status, title = 401, Text("未登录或令牌无效", "No valid token")


class Forbidden(Problem):
    """`forbidden`: the caller sees the resource, but its role or scope does not allow this."""

    status, title = 403, Text("无权执行此操作", "Not allowed")

    def __init__(self, code: str = "forbidden", text: Text | None = None, **extra: Any) -> None:
        super().__init__(
            code, text or Text("当前角色或授权范围不允许此操作。", "Your role or scope does not allow this."), **extra
        )


class NotFound(Problem):
    """`not_found`: missing, or outside the caller's jurisdiction; the two look the same."""

    status, title = 404, Text("未找到", "Not found")

    def __init__(self, text: Text | None = None, code: str = "not_found", **extra: Any) -> None:
        super().__init__(
            code,
            text
            or Text("没有这个资源，或不在您的管辖范围内。", "There is no such resource, or it is not yours to see."),
            **extra,
        )


class Conflict(Problem):
    status, title = 409, Text("当前状态不允许", "Not possible in the current state")


class MoveNotAllowed(Conflict):
    """`move_not_allowed`: names the state and the moves that the state allows."""

    def __init__(self, state: str, allowed: Sequence[str]) -> None:
        text = Text(f"当前状态“{state}”不允许此操作。", f"The state “{state}” does not allow this move.")
        super().__init__("move_not_allowed", text, state=state, allowed=list(allowed))


class PreconditionFailed(Problem):
    status, title = 412, Text("版本已变化", "The version has changed")


class TooLarge(Problem):
    status, title = 413, Text("内容过大", "Too large")


class Unprocessable(Problem):
    status, title = 422, Text("内容不符合要求", "The content does not meet the rules")


class PreconditionMissing(Unprocessable):
    """`precondition_missing`: the state allows the move, but something that it needs is not there."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        text = Text("缺少此操作的前置条件。", "Something that this move needs is missing.")
        super().__init__("precondition_missing", text, faults=faults)


class PreconditionRequired(Problem):
    status, title = 428, Text("缺少版本条件", "A version condition is required")


class Unavailable(Problem):
    status, title = 503, Text("暂时不可用", "Temporarily unavailable")


def language_of(accept: str) -> str:
    """`en` where the reader prefers English, else `zh`."""
    best, language = 0.0, "zh"
    for part in accept.lower().replace(" ", "").split(","):
        tag, _, quality = part.partition(";q=")
        try:
            weight = float(quality) if quality else 1.0
        except ValueError:
            continue
        if weight > best and tag[:2] in ("zh", "en"):
            best, language = weight, tag[:2]
    return language
