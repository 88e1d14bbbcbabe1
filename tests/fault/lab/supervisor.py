"""The processes of a topology, and a supervisor that starts again what ends, as a container runtime would."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.forking import Process, started

PAUSE = 0.2  # between an end and the next start: the first step of a runtime's back-off


@dataclass
class Part:
    """One process of the product: how it is started, where it writes, whether it answers."""

    name: str
    command: list[str]
    environment: dict[str, str]
    log: Path
    ready: Callable[[], bool]
    forked: bool = False  # by `python -m`, or without the wait for its imports
    process: Process | None = None
    starts: int = 0
    recovered: list[float] = field(default_factory=list)  # seconds from each end to ready again

    @property
    def pid(self) -> int:
        """The process that runs now; 0 where none does."""
        return self.process.pid if self.process is not None and self.process.poll() is None else 0

    def start(self) -> None:
        self.process = started(self.command, self.environment, self.log, forked=self.forked)
        self.starts += 1

    def send(self, number: int) -> None:
        """Signal it if it runs."""
        if self.pid:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL, and it has ended."""
        process = self.process
        self.send(signal.SIGKILL)
        if process is not None:
            process.wait()

    def tail(self, size: int = 3000) -> str:
        return self.log.read_text(errors="replace")[-size:] if self.log.exists() else ""


class Supervisor:
    """Keeps its parts running from a thread that lives as long as they do; notes how long each recovery took."""

    def __init__(self, parts: list[Part]) -> None:
        self.parts = {part.name: part for part in parts}
        self._stop = threading.Event()
        self._down: dict[str, float] = {}
        self._held: set[str] = set()
        self._thread = threading.Thread(target=self._keep, name="supervisor", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @contextmanager
    def held(self, prefix: str) -> Iterator[None]:
        """Kill the parts whose names begin so, and keep them down for the time of the block."""
        chosen = [part for name, part in self.parts.items() if name.startswith(prefix)]
        self._held |= {part.name for part in chosen}
        for part in chosen:
            part.kill()
        try:
            yield
        finally:
            self._held.clear()

    def stop(self) -> None:
        """Ask all to end, wait, then insist."""
        self._stop.set()
        self._thread.join(10)
        for part in self.parts.values():
            part.send(signal.SIGCONT)
            part.send(signal.SIGTERM)
        for part in self.parts.values():
            if part.process is not None:
                try:
                    part.process.wait(20)
                except subprocess.TimeoutExpired:
                    part.process.kill()
                    part.process.wait()

    def _keep(self) -> None:
        due: dict[str, float] = {}
        while not self._stop.wait(0.03):
            for part in self.parts.values():
                self._look_at(part, due)

    def _look_at(self, part: Part, due: dict[str, float]) -> None:
        now = time.monotonic()
        if part.name in self._held:
            self._down.pop(part.name, None)
        elif not part.pid:
            if part.starts and part.name not in self._down:
                self._down[part.name] = now
            if now >= due.setdefault(part.name, now + PAUSE if part.starts else now):
                part.start()
                due.pop(part.name)
        elif part.name in self._down and part.ready():
            part.recovered.append(now - self._down.pop(part.name))
