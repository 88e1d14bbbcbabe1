"""Fixtures: databases made by migrations, the whole product on the embedded bus, an API client per role."""

import gc
import json
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from starlette.routing import BaseRoute

from infra.home import SERVICE_NAMES, Home
from infra.parts import SERVICES
from infra.postgres import BUS, EmbeddedPostgres
from infra.system import System, with_environment
from shared import logs
from shared.auth import Caller, TokenSigner
from shared.events import load_catalogue
from shared.settings import Settings
from tests.broker import Broker, running_broker
from tests.instances import roomy_memory

load_catalogue()
logs.setup("ERROR")
gc.set_threshold(20_000, 20, 20)  # the tests collected are a million objects that stay: walking them was a third of the work
ISSUER = "http://127.0.0.1:8000"
TODAY = date(2026, 11, 20)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What waits most begins first, and never runs alone at the end: Kafka's tests, then the slow ones."""
    items.sort(key=lambda item: (not item.get_closest_marker("kafka"), not item.get_closest_marker("slow")))


def pytest_collection_finish() -> None:
    """What is there before the first test is there after the last one: the collector need not look at it."""
    gc.collect()
    gc.freeze()


@dataclass
class Cluster:
    """One PostgreSQL for the tests of this process, with a migrated template of every database."""

    postgres: EmbeddedPostgres
    home: Home
    environment: dict[str, str]

    def copy(self) -> dict[str, str]:
        """A fresh copy of every database; returns the environment that names them."""
        mark, found = secrets.token_hex(4), dict(self.environment)
        with psycopg.connect(self.postgres.admin_url(), autocommit=True) as admin:
            for name in (*SERVICE_NAMES, BUS):
                admin.execute(
                    f'CREATE DATABASE "{name}_{mark}" TEMPLATE "{name}" STRATEGY FILE_COPY OWNER "{name}_owner"'
                )
        for variable, value in found.items():
            if variable.endswith("_URL"):
                found[variable] = value.replace("@/", "@/", 1).replace(
                    f"/{_database(value)}?", f"/{_database(value)}_{mark}?"
                )
        return found | {"MARK": mark}

    def drop(self, mark: str) -> None:
        with psycopg.connect(self.postgres.admin_url(), autocommit=True) as admin:
            for name in (*SERVICE_NAMES, BUS):
                admin.execute(f'DROP DATABASE IF EXISTS "{name}_{mark}" WITH (FORCE)')


def _database(url: str) -> str:
    return url.split("@/", 1)[1].split("?", 1)[0]


@contextmanager
def running_cluster() -> Iterator[Cluster]:
    """PostgreSQL in memory with every database migrated and seeded."""
    # Not under pytest's own folder: every pytest that starts closes that one to other users, PostgreSQL's included.
    folder = Path(tempfile.mkdtemp(prefix="cleanprod-test-", dir=roomy_memory()))
    home = Home(folder)
    home.prepare_secrets(ISSUER)
    postgres = EmbeddedPostgres(folder / "postgres", durable=False)
    postgres.start()
    try:
        environment = home.environment(postgres, Settings(issuer=ISSUER))
        with with_environment(environment):
            system = System(SERVICES, Settings())
            system.migrate()
            system.seed()
            system.stop()
            system.bus._db.dispose()  # type: ignore[union-attr]
        yield Cluster(postgres, home, environment)
    finally:
        postgres.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    with running_cluster() as running:
        yield running


@pytest.fixture
def environment(cluster: Cluster, tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of fresh databases, with the legal calendar on TODAY."""
    found = cluster.copy()
    clock = tmp_path / "clock"
    clock.write_text(TODAY.isoformat())
    found["CLEANPROD_CLOCK_FILE"] = str(clock)
    with with_environment(found):
        yield found
    cluster.drop(found["MARK"])


@pytest.fixture
def system(environment: dict[str, str]) -> Iterator[System]:
    """All five services over fresh databases; nothing runs until `run_until_quiet()`."""
    built = System(SERVICES, Settings())
    _share_routes(built)
    yield built
    built.stop()
    built.bus._db.dispose()  # type: ignore[union-attr]


_ROUTES: list[BaseRoute] = []


def _share_routes(built: System) -> None:
    """Give the application the routes of this process's first one: FastAPI builds them anew per application, at a request."""
    own = built.edge.api.router.routes
    _ROUTES.extend([] if _ROUTES else own)
    own[:] = _ROUTES


class Api:
    """A caller's view of the product: in-process HTTP with a token, a fresh idempotency key for every POST."""

    def __init__(self, client: httpx.Client, token: str | None) -> None:
        self._client, self._token = client, token

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        if method == "POST":
            headers["Idempotency-Key"] = secrets.token_hex(8)
        headers |= options.pop("headers", None) or {}
        return self._client.request(method, path, headers={k: v for k, v in headers.items() if v}, **options)

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.request("GET", path, **options)

    def post(self, path: str, json: Any = None, **options: Any) -> httpx.Response:
        return self.request("POST", path, json=json, **options)

    def patch(self, path: str, json: Any = None, **options: Any) -> httpx.Response:
        return self.request("PATCH", path, json=json, **options)

    def delete(self, path: str, **options: Any) -> httpx.Response:
        return self.request("DELETE", path, **options)


As = Callable[..., Api]


@pytest.fixture
def as_role(system: System, cluster: Cluster) -> Iterator[As]:
    """`as_role("bank", uscc="…")`: an API client with a token of that role and its scopes."""
    from services.registry.roles import scopes_of

    signer = TokenSigner.from_file(cluster.home.secrets / "token_key.pem", ISSUER)
    with _threaded_client(system) as client:

        def make(role: str, *, jurisdiction: str = "", uscc: str = "", name: str = "", client_id: str = "") -> Api:
            place = jurisdiction or ("43" if role.startswith("provincial") or role == "auditor" else "")
            caller = Caller(client_id or f"t-{role}-{place}{uscc}", role, name or role, place, uscc, scopes_of(role))
            return Api(client, signer.issue(caller, time.time()))

        yield make


@pytest.fixture
def nobody(system: System) -> Iterator[Api]:
    with _threaded_client(system) as client:
        yield Api(client, None)


def _threaded_client(system: System) -> httpx.Client:
    from starlette.testclient import TestClient

    return TestClient(system.edge, raise_server_exceptions=False)  # type: ignore[return-value]


def shown(answer: httpx.Response) -> str:
    """An answer as a failure message."""
    return f"{answer.status_code} {json.dumps(answer.json(), ensure_ascii=False, indent=1)}"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A real Kafka broker, one per module: an instance must not find another one's events."""
    with running_broker(tmp_path_factory.mktemp("kafka")) as started:
        yield started
