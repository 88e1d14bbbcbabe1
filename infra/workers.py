"""Worker processes of an instance on Kafka: one per service, started again when one ends."""

import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence

import structlog

log = structlog.get_logger("workers")


class Workers:
    """Runs `python -m services.<name> worker` for each name; they end with this process, however it ends."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names, self._stop = list(names), threading.Event()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._keepers: list[threading.Thread] = []

    def start(self) -> None:
        for name in self._names:
            keeper = threading.Thread(target=self._keep, args=(name,), name=f"keep-{name}", daemon=True)
            keeper.start()
            self._keepers.append(keeper)

    def stop(self) -> None:
        """Ask all to end, wait, then insist."""
        self._stop.set()
        for process in self._processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for keeper in self._keepers:
            keeper.join(timeout=15)
        for process in self._processes.values():
            if process.poll() is None:
                process.kill()

    def pids(self) -> dict[str, int]:
        return {name: process.pid for name, process in self._processes.items() if process.poll() is None}

    def _keep(self, name: str) -> None:
        # The keeper thread lives as long as the process, so the kernel's parent-death signal means what it says.
        while not self._stop.is_set():
            process = subprocess.Popen(
                [sys.executable, "-m", f"services.{name}", "worker"], preexec_fn=_end_with_parent
            )
            self._processes[name] = process
            process.wait()
            if not self._stop.is_set():
                log.warning("worker.ended", service=name, code=process.returncode)
                self._stop.wait(1.0)


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    os.setsid()
