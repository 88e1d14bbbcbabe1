"""The containers' own commands as plain processes: databases, topics, migrations, then five APIs and five workers."""

import json
import shutil
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psycopg
import pytest

from infra import secrets as secret_files
from infra.parts import SERVICES
from infra.ports import free_port
from infra.postgres import EmbeddedPostgres
from shared.events import PRODUCERS, topic_of
from tests.broker import Broker
from tests.topology import Containers, Topology

pytestmark = [pytest.mark.kafka, pytest.mark.slow]
NAMES = [service.name for service in SERVICES]
ISSUER = "http://127.0.0.1:8080"


@dataclass
class Deployment:
    """What docker-compose.yml describes, without containers."""

    containers: Containers
    postgres: EmbeddedPostgres
    ports: dict[str, int] = field(default_factory=dict)

    def start(self, stack: ExitStack, service: str, variable: str) -> None:
        self.ports[service] = free_port()
        changed = {variable: str(self.ports[service])}
        if service == "documents":
            changed["CLEANPROD_API_URLS"] = " ".join(f"{n}=http://127.0.0.1:{self.ports[f'{n}-api']}" for n in NAMES)
        stack.enter_context(self.containers.started(service, **changed))

    def get(self, service: str, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[service]}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError as error:
            return 0, repr(error)

    def wait(self, service: str, path: str) -> str:
        """The body of the first 200; an AssertionError with the service's own log after two minutes."""
        end = time.monotonic() + 120
        while True:
            status, body = self.get(service, path)
            if status == 200:
                return body
            assert time.monotonic() < end, f"{service}: {status} {body[:500]}\n{self._log(service)}"
            time.sleep(0.2)

    def _log(self, service: str) -> str:
        return (self.containers.folder / f"{service}.log").read_text()[-3000:]


@pytest.fixture
def deployment(broker: Broker) -> Iterator[Deployment]:
    # Not under pytest's own folder, which is closed to the user that PostgreSQL runs as.
    folder = Path(tempfile.mkdtemp(prefix="cleanprod-topology-"))
    secret_files.make(folder / "secrets", ISSUER)
    postgres = EmbeddedPostgres(folder / "postgres", durable=False)
    postgres.start()
    given = {"CLEANPROD_KAFKA": broker.servers, "CLEANPROD_ADMIN_URL": _url(postgres, "postgres", "postgres")}
    for name in NAMES:
        given[f"{name.upper()}_DATABASE_URL"] = _url(postgres, f"{name}_app", name)
        given[f"{name.upper()}_OWNER_URL"] = _url(postgres, f"{name}_owner", name)
    admin = secret_files.pgpass("*", "postgres", (folder / "postgres" / "superuser").read_text().strip())
    (folder / "secrets" / "pgpass_admin").write_text(admin)
    yield Deployment(Containers(Topology(given), folder / "secrets", folder / "run"), postgres)
    postgres.stop()
    shutil.rmtree(folder, ignore_errors=True)


def _url(postgres: EmbeddedPostgres, role: str, database: str) -> str:
    return f"postgresql://{role}@/{database}?host={postgres.sockets}"


def test_the_commands_of_the_compose_file_become_a_running_product(deployment: Deployment) -> None:
    containers = deployment.containers
    assert "database notifications: ready" in containers.run("provide")
    assert "database registry: ready" in containers.run("provide"), "doing it again does no harm"
    assert f"topic {topic_of(PRODUCERS[0])}: ready" in containers.run("topics")
    for name in NAMES:
        containers.run(f"{name}-migrate")
    with ExitStack() as stack:
        for name in NAMES:
            deployment.start(stack, f"{name}-api", "CLEANPROD_PORT")
            deployment.start(stack, f"{name}-worker", "CLEANPROD_STATUS_PORT")
        deployment.start(stack, "documents", "CLEANPROD_PORT")
        for name in NAMES:
            said = json.loads(deployment.wait(f"{name}-api", "/readyz"))["services"][name]
            assert (said["database"], said["migrations"]) == ("ok", "ok")
            assert f'daily_job_overdue_days{{service="{name}"}} 0.0' in deployment.wait(f"{name}-worker", "/metrics")
        assert set(json.loads(deployment.wait("documents", "/readyz"))["services"]) == set(NAMES)
        assert "/credit/v1/" in deployment.wait("documents", "/openapi.json")
        _the_first_client_signs_in(deployment)
    for name in NAMES:
        assert deployment.get(f"{name}-api", "/livez")[0] == 0, "it ended when it was asked to"
    _nobody_enters_another_database(deployment)


def _the_first_client_signs_in(deployment: Deployment) -> None:
    """What an operator does next: `docker compose run --rm registry-api python -m infra.first_client …`."""
    told = deployment.containers.run("registry-api", "-m", "infra.first_client", "provincial_ecology", "43", "省厅")
    client = json.loads(told)
    for name in NAMES:
        assert deployment.get(f"{name}-api", f"/{name}/v1/anything")[0] == 401
    url, credentials = (
        f"http://127.0.0.1:{deployment.ports['registry-api']}",
        (client["client_id"], client["client_secret"]),
    )
    form = {"grant_type": "client_credentials"}
    token = httpx.post(f"{url}/registry/v1/oauth/token", auth=credentials, data=form, timeout=20).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    assert httpx.get(f"{url}/registry/v1/enterprises", headers=headers, timeout=20).json()["items"] == []
    audits = f"http://127.0.0.1:{deployment.ports['audits-api']}"
    assert httpx.get(f"{audits}/audits/v1/rounds", headers=headers, timeout=20).json()["items"] == []


def _nobody_enters_another_database(deployment: Deployment) -> None:
    passwords = json.loads((deployment.containers.secrets / "passwords.json").read_text())
    for name in NAMES:
        mine = deployment.postgres.url(name, f"{name}_app", passwords[f"{name}_app"])
        psycopg.connect(mine).close()
        other = NAMES[NAMES.index(name) - 1]
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(deployment.postgres.url(other, f"{name}_app", passwords[f"{name}_app"]))
        with pytest.raises(psycopg.OperationalError, match="no password supplied"):
            psycopg.connect(_url(deployment.postgres, f"{name}_app", name), passfile="/nonexistent")
