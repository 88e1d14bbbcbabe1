"""The registry's one router, and what its routes share."""

from collections.abc import Callable, Sequence
from datetime import date
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request
from pydantic import StringConstraints

from services.registry.actions.enterprises import find_enterprise, get_enterprise
from services.registry.models import Enterprise
from shared.clock import local_time
from shared.http import Me, Tx, service_router
from shared.paging import filters_of, position
from shared.problems import Fault, Text, Unprocessable

router = service_router("registry")

P = TypeVar("P")
_LINE = r"^[^\x00-\x1f\x7f]*$"
Line = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=_LINE)]
OptionalLine = Annotated[str, StringConstraints(max_length=200, pattern=_LINE)]
Code = Annotated[str, StringConstraints(min_length=1, max_length=40, pattern=_LINE)]


def place_after(request: Request, after: str | None, parse: Callable[..., P], parts: int = 1) -> P | None:
    """Where a page begins; 422 `cursor_invalid` for a cursor that this list did not give."""
    found = position(after, filters_of(request), parts)
    try:
        return None if found is None else parse(*found)
    except ValueError as error:
        text = Text("翻页游标无效。", "The page cursor is not valid.")
        faults = [Fault("/query/after", "cursor_invalid", text)]
        raise Unprocessable("cursor_invalid", text, faults=faults) from error


def plain(text: str) -> str:
    """A text cursor as a database takes it; ValueError for one with control characters."""
    if not text.isprintable():
        raise ValueError("not a cursor of ours")
    return text


def public_enterprise(uscc: str, tx: Tx) -> Enterprise:
    """That an enterprise exists is public."""
    return find_enterprise(tx, uscc)


def own_enterprise(uscc: str, tx: Tx, me: Me) -> Enterprise:
    """The enterprise where it is the caller's business, else 404."""
    return get_enterprise(tx, me, uscc)


def locked_enterprise(uscc: str, tx: Tx, me: Me) -> Enterprise:
    """As `own_enterprise`, locked: one writer at a time, so that its events keep their order."""
    return get_enterprise(tx, me, uscc, lock=True)


Locked = Annotated[Enterprise, Depends(locked_enterprise)]


def dated(document: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Instants of the named members as people in Shanghai read them."""
    return document | {n: local_time(document[n]).isoformat() for n in names if document.get(n)}


def iso(day: date | None) -> str | None:
    return day.isoformat() if day else None
