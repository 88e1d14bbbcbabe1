"""Instances of the product as processes: what a stranger starts, embedded or on Kafka."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from infra.client import Callers
from infra.ports import free_port
from tests.forking import Process, started
from tests.topology import ROOT


@dataclass
class Instance:
    """A `make run` in a folder: its settings, its process, its log."""

    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    forked: bool = False  # by `python -m`, or without the wait for its imports
    process: Process | None = None

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def callers(self) -> Callers:
        return Callers(self.home / "credentials.json")

    def start(self, **more: str) -> "Instance":
        """Start and wait until /readyz says 200; the log is in the folder."""
        self.launch(**more)
        self.wait_ready()
        return self

    def launch(self, **more: str) -> None:
        environment = {k: v for k, v in os.environ.items() if not k.endswith("_URL") and not k.startswith("CLEANPROD_")}
        environment |= {
            "CLEANPROD_HOME": str(self.home),
            "CLEANPROD_PORT": str(self.port),
            "CLEANPROD_SAMPLE": "none",
            "CLEANPROD_WEBHOOK_ALLOW": "127.0.0.0/8",
            "CLEANPROD_RETRY_SECONDS": "0.2,0.4,0.8",
            "PYTHONPATH": str(ROOT),
        }
        environment |= self.settings | more
        command = [sys.executable, "-m", "infra.embedded"]
        self.process = started(command, environment, self.folder / "log", forked=self.forked)

    def wait_ready(self, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            assert self.process is not None and self.process.poll() is None, self.log()
            try:
                if httpx.get(f"{self.base}/readyz", timeout=5, trust_env=False).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.05)  # a process outside of ours: there is nothing else to wait on
        raise TimeoutError(self.log())

    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")[-6000:]

    def kill(self) -> None:
        """As a power cut would: no handler runs."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def wait_end(self, seconds: float = 60) -> int:
        assert self.process is not None
        return self.process.wait(seconds)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def roomy_memory() -> str | None:
    """Memory where there is plenty: databases that live for one test are file copying and little else."""
    memory = Path("/dev/shm")
    return str(memory) if memory.is_dir() and shutil.disk_usage(memory).free > 4 * 1024**3 else None


@contextmanager
def running_instance(*, forked: bool = True, on_disk: bool = False, **settings: str) -> Iterator[Instance]:
    """An instance that is ready, in a folder of its own; stopped and cleared away at the end."""
    # Not under pytest's own folder: every pytest that starts closes that one to other users, PostgreSQL's included.
    place = None if on_disk else roomy_memory()
    with tempfile.TemporaryDirectory(prefix="cleanprod-test-", dir=place, ignore_cleanup_errors=True) as folder:
        instance = Instance(Path(folder), settings, forked=forked)
        try:
            yield instance.start()
        finally:
            instance.stop()
