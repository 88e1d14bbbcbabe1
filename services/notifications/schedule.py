"""When a failed delivery is tried again, and when it is given up."""

import random
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from email.utils import parsedate_to_datetime

HORIZON = timedelta(hours=72)
LONGEST_RETRY_AFTER = timedelta(hours=24)
JITTER = 0.2
_BUSY_PAUSE = timedelta(seconds=60)
_BUSY_STATUS = {429, 502, 504}
_SLOW_ERRORS = {"timeout", "response_too_slow"}
_ASKS_FOR_A_PAUSE = {429, 503}
_GONE = 410
_DEFAULT = (5, 30, 120, 600, 1800, 3600, 7200, 14400, 28800, 43200, 57600, 100800)
_SECONDS = re.compile(r"[0-9]{1,15}(\.[0-9]{1,9})?")


@dataclass(frozen=True, kw_only=True)
class FailedAttempt:
    """What the schedule needs to know of an attempt; `number` counts from 1, times are aware."""

    number: int
    first_at: datetime
    ended_at: datetime
    status: int | None = None
    error_code: str | None = None
    retry_after_s: int | None = None


@dataclass(frozen=True)
class Schedule:
    """The pauses between attempts; after the last one it repeats until 72 h after the first attempt."""

    pauses: tuple[timedelta, ...] = tuple(timedelta(seconds=seconds) for seconds in _DEFAULT)
    replaced: bool = False

    @classmethod
    def parse(cls, text: str | None) -> "Schedule":
        """Read seconds separated by commas (`1,2,4`); nothing given: the default. ValueError names what is wrong."""
        if not text or not text.strip():
            return cls()
        return cls(tuple(_pause(part.strip()) for part in text.split(",")), replaced=True)

    def next_attempt_at(self, failed: FailedAttempt, rng: random.Random) -> datetime | None:
        """The time of the next attempt, jittered by ±20 %, or None when the delivery is given up.

        A pause that would end after the 72 h is shortened to one last attempt at 72 h, so that a receiver that comes
        back within them is not missed; a pause the receiver itself needs is never shortened.
        """
        deadline = failed.first_at + HORIZON
        if failed.ended_at >= deadline:
            return None
        earliest = failed.ended_at + self._least_pause(failed)
        if earliest > deadline:
            return None
        pause = self.pauses[min(failed.number, len(self.pauses)) - 1]
        wanted = failed.ended_at + pause * rng.uniform(1 - JITTER, 1 + JITTER)
        return min(max(wanted, earliest), deadline)

    def _least_pause(self, failed: FailedAttempt) -> timedelta:
        """What the receiver asked for (429, 503), and a minute for a busy one unless an operator set the pauses."""
        least = timedelta(0)
        if failed.retry_after_s is not None and failed.status in _ASKS_FOR_A_PAUSE:
            least = min(timedelta(seconds=failed.retry_after_s), LONGEST_RETRY_AFTER)
        is_busy = failed.status in _BUSY_STATUS or failed.error_code in _SLOW_ERRORS
        return max(least, _BUSY_PAUSE) if is_busy and not self.replaced else least


def disables(status: int | None) -> bool:
    """Whether this answer ends the subscription: 410, as Standard Webhooks has it."""
    return status == _GONE


def retry_after_seconds(value: str | None, now: datetime) -> int | None:
    """`Retry-After` in whole seconds from `now`, rounded up, at most 24 h; None when it is missing or no valid form."""
    if value is None:
        return None
    text = value.strip()
    if _SECONDS.fullmatch(text):
        seconds = int(Decimal(text).to_integral_value(ROUND_CEILING))
    else:
        until = _http_date(text)
        if until is None:
            return None
        seconds = max(0, -((now - until) // timedelta(seconds=1)))
    return min(seconds, int(LONGEST_RETRY_AFTER.total_seconds()))


def _http_date(text: str) -> datetime | None:
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, IndexError, TypeError, OverflowError):
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at


def _pause(text: str) -> timedelta:
    if not _SECONDS.fullmatch(text):
        raise ValueError(f"a retry pause is a number of seconds, not {text!r}")
    pause = timedelta(milliseconds=int(Decimal(text[:20]) * 1000))
    if not timedelta(0) < pause <= HORIZON:
        raise ValueError(f"a retry pause lies between 0.001 s and 72 h, not {text!r}")
    return pause
