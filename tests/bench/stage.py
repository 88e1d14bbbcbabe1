"""What the figures are taken against: a running instance, a laboratory without one, programs beside them."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from infra.client import Callers
from infra.home import Home
from infra.parts import SERVICES
from infra.postgres import EmbeddedPostgres
from infra.system import System, with_environment
from shared.settings import Settings
from tests import instances
from tests.instances import Instance
from tests.topology import ROOT

FLOOR = "floor"


@dataclass(frozen=True)
class Stage:
    """A running instance and the ways into its databases."""

    instance: Instance
    callers: Callers

    def url(self, service: str) -> str:
        """A service's database as its application role."""
        role = f"{service}_app"
        passwords = json.loads((self.instance.home / "secrets" / "passwords.json").read_text())
        return self._postgres.url(service, role, passwords[role])

    @property
    def floor_url(self) -> str:
        """A database of the same cluster that holds nothing of ours."""
        with psycopg.connect(self._postgres.admin_url(), autocommit=True) as admin:
            if not admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", (FLOOR,)).fetchone():
                admin.execute(f'CREATE DATABASE "{FLOOR}"')
        return self._postgres.admin_url(FLOOR)

    @property
    def pid(self) -> int:
        assert self.instance.process is not None
        return self.instance.process.pid

    @property
    def _postgres(self) -> EmbeddedPostgres:
        return EmbeddedPostgres(self.instance.home / "postgres")


@contextmanager
def running_instance(**settings: str) -> Iterator[Stage]:
    """`make run` in a folder of its own, without the sample."""
    with instances.running_instance(forked=False, on_disk=True, **settings) as instance:
        yield Stage(instance, instance.callers)


@dataclass(frozen=True)
class Lab:
    """The five services over fresh durable databases, with none of their loops running."""

    system: System
    floor_url: str
    environment: dict[str, str]


@contextmanager
def laboratory() -> Iterator[Lab]:
    with tempfile.TemporaryDirectory(prefix="cleanprod-bench-") as folder:
        home = Home(Path(folder))
        home.prepare_secrets("http://127.0.0.1:8000")
        postgres = EmbeddedPostgres(home.folder / "postgres")
        postgres.start()
        try:
            environment = home.environment(postgres, Settings(webhook_allow="127.0.0.0/8"))
            with with_environment(environment):
                system = System(SERVICES, Settings())
                system.migrate()
                with psycopg.connect(postgres.admin_url(), autocommit=True) as admin:
                    admin.execute(f'CREATE DATABASE "{FLOOR}"')
                yield Lab(system, postgres.admin_url(FLOOR), environment)
                system.stop()
        finally:
            postgres.stop()


@contextmanager
def program(module: str, *arguments: str) -> Iterator[str]:
    """A program of ours as a process; yields the first line that it prints (its address)."""
    command = [sys.executable, "-m", module, *arguments]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline().strip()
        assert line, f"{module} did not start"
        yield line
    finally:
        process.terminate()
        process.wait(10)


def outcome(module: str, *arguments: str) -> float:
    """What a program prints, as a number."""
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True, timeout=300)
    return float(done.stdout)


def address_of(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    assert parts.hostname is not None and parts.port is not None
    return parts.hostname, parts.port
