"""Instants that callers ask about."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query
from pydantic import AfterValidator, AwareDatetime

FIRST, LAST = datetime(1900, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)


def _in_reach(instant: datetime) -> datetime:
    """Refuses what no zone can show: the first and last days of the calendar overflow when they are shifted."""
    if not FIRST <= instant <= LAST:
        raise ValueError(f"between {FIRST.isoformat()} and {LAST.isoformat()}")
    return instant


KnownAt = Annotated[AwareDatetime | None, Query(), AfterValidator(lambda v: v if v is None else _in_reach(v))]
