"""The day of the legal calendar, which only a sandbox may set."""

import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")


def utc_now() -> datetime:
    """The recorded clock: when we knew. It never follows the sandbox."""
    return datetime.now(UTC)


class Clock:
    """Today in Asia/Shanghai; with a file, the day that the file holds (a sandbox, shared by its processes)."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file

    def today(self) -> date:
        if self._file is not None:
            try:
                return date.fromisoformat(self._file.read_text().strip())
            except FileNotFoundError:
                pass
        return datetime.now(SHANGHAI).date()

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
