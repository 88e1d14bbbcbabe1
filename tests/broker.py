"""A real broker for tests: one per test process, or a visible skip where none can be had (a failure in CI)."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from infra.ports import free_port

SCRIPT = Path(__file__).parents[1] / "infra" / "kafka" / "kafka-local.sh"


class Broker:
    """The broker's controls: start, stop, kill, pause, resume."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.servers = f"127.0.0.1:{self.port}"
        self._environment = os.environ | {
            "KAFKA_DIR": str(folder),
            "KAFKA_PORT": str(self.port),
            "KAFKA_CONTROLLER_PORT": str(free_port()),
        }

    def do(self, verb: str) -> None:
        subprocess.run([str(SCRIPT), verb], env=self._environment, check=True, capture_output=True, timeout=120)


def why_not() -> str:
    """Why there can be no broker here; empty when there can."""
    if shutil.which("java") is None:
        return "no Java for Kafka"
    if not list((SCRIPT.parent / "target").glob("kafka-*/kafka-clients-*.jar")):
        return "the Kafka jars are not here: make kafka"
    return ""


@contextmanager
def running_broker(folder: Path) -> Iterator[Broker]:
    """A started broker; skips the test where there is none, fails it in CI."""
    reason = why_not()
    if reason and os.environ.get("CI"):
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)  # a laptop without Java: said in the summary
    broker = Broker(folder)
    broker.do("start")
    try:
        yield broker
    finally:
        broker.do("clean")
