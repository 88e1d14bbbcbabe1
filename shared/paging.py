"""Keyset pages with opaque cursors: never an offset, never a total count."""

import base64
import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar
from urllib.parse import quote, urlencode

from fastapi import Query, Request, Response

from shared.problems import Fault, Text, Unprocessable

R = TypeVar("R")
MAX_LIMIT = 500

Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT)]
After = Annotated[str | None, Query(max_length=2000)]


def cursor(key: Sequence[Any], filters: str) -> str:
    """The place after a row with this sort key, bound to the filters it was made with."""
    parts = [str(part) for part in key]
    raw = json.dumps([_mark(filters, parts), *parts], ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(raw.encode()).decode().rstrip("=")


def position(after: str | None, filters: str, parts: int) -> list[str] | None:
    """The sort key that a cursor holds; 422 `cursor_invalid` for one that is not ours or belongs to other filters."""
    if after is None:
        return None
    try:
        values = json.loads(base64.urlsafe_b64decode(after + "=" * (-len(after) % 4)))
    except (ValueError, RecursionError):
        values = None
    good = isinstance(values, list) and len(values) == parts + 1 and all(isinstance(v, str) for v in values)
    if not good or values[0] != _mark(filters, values[1:]):
        text = Text("翻页游标无效。", "The page cursor is not valid.")
        raise Unprocessable("cursor_invalid", text, faults=[Fault("/query/after", "cursor_invalid", text)])
    return list(values[1:])


def page(
    request: Request,
    response: Response,
    rows: Sequence[R],
    limit: int,
    key: Callable[[R], Sequence[Any]],
    out: Callable[[R], Any],
) -> dict[str, Any]:
    """`{items, next}` of up to `limit` of the rows; give `limit + 1` rows to know whether there is a next page."""
    shown, more = rows[:limit], len(rows) > limit
    following = cursor(key(shown[-1]), filters_of(request)) if more else None
    if following:
        url = request.url.include_query_params(after=following)
        response.headers["Link"] = f'<{quote(request.url.path)}?{url.query}>; rel="next"'
    return {"items": [out(row) for row in shown], "next": following}


def filters_of(request: Request) -> str:
    """The caller, the path and its query, without what only moves through it; only we can make a cursor for them."""
    chosen = sorted((k, v) for k, v in request.query_params.multi_items() if k not in ("after", "limit"))
    key, caller = getattr(request.state, "cursor_key", ""), getattr(request.state, "caller", None)
    return f"{key}{caller.client_id if caller else ''}\n{request.url.path}?{urlencode(chosen, errors='replace')}"


def _mark(filters: str, parts: Sequence[str]) -> str:
    """It tells a cursor that was cut, altered, made by somebody else or taken from elsewhere."""
    content = json.dumps([filters, *parts]).encode()
    return hashlib.sha256(content).hexdigest()[:16]
