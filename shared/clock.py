"""The day of the legal calendar, which only a sandbox may set."""

import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")


def local_time(instant: datetime) -> datetime:
    """The same instant by the clocks of Hunan: stored in UTC, told with +08:00 (RFC 3339)."""
    return instant.astimezone(SHANGHAI)


def utc_now() -> datetime:
    """The recorded clock: when we knew. It never follows the sandbox."""
    return datetime.now(UTC)


def legal_today() -> date:
    """The legal day of this process, for an event's handler, which has no request to take a clock from.

    The sandbox's file is read from the environment alone: reading all settings would cost a millisecond per event.
    """
    sandbox = os.environ.get("CLEANPROD_CLOCK_FILE")
    return Clock(Path(sandbox) if sandbox else None).today()


class Clock:
    """Today in Asia/Shanghai; with a file, the day that the file holds (a sandbox, shared by its processes)."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._held: tuple[tuple[int, int], date] | None = None

    def today(self) -> date:
        if self._file is not None:
            try:
                return self._day_in(self._file)
            except FileNotFoundError:
                pass
        return datetime.now(SHANGHAI).date()

    def _day_in(self, file: Path) -> date:
        """Read again only when it was replaced: every request asks for the day."""
        found = os.stat(file)  # noqa: PTH116 — half the cost of Path.stat, on every request
        mark = (found.st_ino, found.st_mtime_ns)
        if self._held is None or self._held[0] != mark:
            self._held = (mark, date.fromisoformat(file.read_text().strip()))
        return self._held[1]

    @property
    def movable(self) -> bool:
        return self._file is not None

    def move_to(self, day: date) -> None:
        """Set the sandbox's day; a reader sees the old day or the new one, never half a file."""
        assert self._file is not None, "only a sandbox clock moves"
        fresh = self._file.with_name(f"{self._file.name}.{os.getpid()}.new")
        fresh.write_text(day.isoformat())
        fresh.replace(self._file)

    def next_midnight(self) -> datetime:
        """When the legal day ends, by the real clock."""
        tomorrow = datetime.now(SHANGHAI).date() + timedelta(days=1)
        return datetime.combine(tomorrow, datetime.min.time(), SHANGHAI)
