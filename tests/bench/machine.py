"""What the figures were taken on."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psycopg


def description(postgres_url: str) -> list[tuple[str, str]]:
    """Cores, memory, versions, date; the database is asked for its own version."""
    with psycopg.connect(postgres_url) as connection:
        row = connection.execute("SHOW server_version").fetchone()
    packages = ("uvicorn", "uvloop", "fastapi", "asyncpg", "psycopg", "aiohttp", "kafka-python")
    return [
        ("date", datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")),
        ("processor", f"{_model()}, {os.cpu_count()} cores"),
        ("load before", " ".join(f"{load:.2f}" for load in os.getloadavg())),
        ("memory", f"{_kilobytes('/proc/meminfo', 'MemTotal') / 1024 / 1024:.1f} GiB"),
        ("system", f"{platform.system()} {platform.release()}"),
        ("Python", platform.python_version()),
        ("PostgreSQL", str(row[0]) if row else "?"),
        ("packages", ", ".join(f"{name} {version(name)}" for name in packages)),
    ]


def _model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def _kilobytes(file: str, name: str) -> int:
    for line in Path(file).read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    return 0


class Memory:
    """Resident memory of a process in MiB: now, and its peak since `reset`."""

    def __init__(self, pid: int) -> None:
        self._status, self._refs = f"/proc/{pid}/status", Path(f"/proc/{pid}/clear_refs")

    @property
    def now(self) -> float:
        return _kilobytes(self._status, "VmRSS") / 1024

    @property
    def peak(self) -> float:
        return _kilobytes(self._status, "VmHWM") / 1024

    def reset(self) -> None:
        """Start the peak anew."""
        self._refs.write_text("5")
