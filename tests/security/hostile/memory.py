"""How much memory this process needed at most while something ran (Linux)."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

OWN = Path("/proc/self")


@dataclass
class Growth:
    """The peak over what was held at the beginning, in bytes; known at the end."""

    peak: int = 0


@contextmanager
def growth() -> Iterator[Growth]:
    """Measures the peak of resident memory inside; what was free before is given back to the system first."""
    found = Growth()
    ctypes.CDLL(None).malloc_trim(0)
    (OWN / "clear_refs").write_text("5")  # resets VmHWM, proc(5)
    before = _held("VmRSS")
    yield found
    found.peak = _held("VmHWM") - before


def _held(name: str) -> int:
    line = next(line for line in (OWN / "status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024
