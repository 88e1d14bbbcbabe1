"""The production topology as plain processes, with a fault proxy on every link."""

import json
import logging
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from infra import credentials
from infra.client import until
from infra.home import SERVICE_NAMES, Home
from infra.parts import SERVICES
from infra.ports import free_port
from infra.postgres import BUS, EmbeddedPostgres
from infra.receiver import Receiver
from infra.system import System, with_environment
from shared.events import load_catalogue
from shared.settings import Settings
from tests.broker import Broker
from tests.fault.lab.proxy import Network
from tests.fault.lab.rebuild import keep_empty
from tests.fault.lab.supervisor import Part, Supervisor
from tests.fault.lab.whole import OUTSIDE
from tests.instances import roomy_memory
from tests.topology import ROOT, Topology

TODAY = date(2026, 10, 12)
EMBEDDED, KAFKA, COMPOSE = "embedded", "kafka", "compose"  # one process; an API, five workers; five APIs, ten workers
TOPOLOGIES = (EMBEDDED, KAFKA, COMPOSE)
API, RECEIVER = "load→api", "dispatcher→receiver"


@dataclass
class Lab:
    """One running topology: its folder, links, processes, databases and receiver."""

    bus: str
    folder: Path
    network: Network
    postgres: EmbeddedPostgres
    receiver: Receiver
    home: Home
    environment: dict[str, str]  # of the product's processes: databases through the proxies
    direct: dict[str, str]  # the same databases past the proxies, for the checker
    supervisor: Supervisor
    broker: Broker | None = None
    bases: dict[str, str] = field(default_factory=dict)  # service → base URL through the proxy

    @property
    def crash_file(self) -> Path:
        return self.folder / "crash"

    @property
    def hook(self) -> str:
        return f"http://127.0.0.1:{self.network.links[RECEIVER].port}/hook"

    @property
    def clients(self) -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = json.loads(self.home.credentials.read_text(encoding="utf-8"))["clients"]
        return found

    def base(self, path: str) -> str:
        """Where a path is answered: the gateway's only job, done here."""
        return self.bases[path.split("/")[1]]

    def wait_ready(self, seconds: float = 120) -> None:
        """Until every part has answered once; who has is not asked again, for that is work for them and for us."""
        waiting = list(self.supervisor.parts.values())

        def ready() -> bool:
            waiting[:] = [part for part in waiting if not (part.pid and part.ready())]
            return not waiting

        try:
            until(ready, seconds, "the topology to be ready")
        except TimeoutError as error:
            error.add_note("\n".join(f"== {part.name}\n{part.tail()}" for part in waiting))
            raise


@contextmanager
def running_lab(bus: str, *, forked: bool = False, keep: bool = False) -> Iterator[Lab]:
    """A lab that is ready; its folder goes at the end unless the work in it failed (or `keep`)."""
    folder = Path(tempfile.mkdtemp(prefix="cleanprod-lab-", dir=roomy_memory()))
    lab = None
    try:
        lab = _started(bus, folder, forked)
        yield lab
    except BaseException:
        keep = True
        raise
    finally:
        if lab is not None:
            stop(lab)
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


def stop(lab: Lab) -> None:
    """End every process of the lab."""
    lab.network.clear()
    lab.supervisor.stop()
    lab.receiver.stop()
    if lab.broker is not None:
        lab.broker.do("stop")
    lab.postgres.stop()
    lab.network.close()


def _started(bus: str, folder: Path, forked: bool) -> Lab:
    load_catalogue()
    logging.getLogger("kafka").setLevel(logging.ERROR)  # the nemesis provokes what its own clients would complain of
    network, receiver, postgres = Network(), Receiver().start(), EmbeddedPostgres(folder / "postgres")
    postgres.start()
    network.link(RECEIVER, int(receiver.url.rsplit(":", 1)[1].split("/")[0]))
    for name in (*SERVICE_NAMES, BUS):
        network.link(f"{name}→postgres", postgres.sockets / ".s.PGSQL.5432")
    broker = LabBroker(folder / "kafka", network) if bus != EMBEDDED else None
    if broker is not None:
        broker.do("start")
    home = Home(folder / "home")
    home.folder.mkdir()
    apart = bus == COMPOSE
    ports = {name: free_port() for name in SERVICE_NAMES} if apart else dict.fromkeys(SERVICE_NAMES, free_port())
    links = {port: network.link(f"{API} {name}" if apart else API, port) for port, name in _by_port(ports)}
    bases = {name: f"http://127.0.0.1:{links[port].port}" for name, port in ports.items()}
    direct = _databases(home, postgres, Settings(issuer=bases["registry"]), broker)
    environment = _environment(folder, home, network, direct)
    lab = Lab(bus, folder, network, postgres, receiver, home, environment, direct, Supervisor([]), broker, bases)
    parts = _parts(lab, ports)
    lab.supervisor = Supervisor([replace(part, forked=forked) for part in parts])
    lab.supervisor.start()
    lab.wait_ready()
    return lab


class LabBroker(Broker):
    """A broker that tells its clients to come through the proxy."""

    def __init__(self, folder: Path, network: Network) -> None:
        folder.mkdir()
        super().__init__(folder)
        self._link = network.link("services→kafka", self.port)
        self.through = f"127.0.0.1:{self._link.port}"
        extra = folder / "extra.properties"
        extra.write_text(f"advertised.listeners=PLAINTEXT://{self.through}\n")
        self._environment["KAFKA_EXTRA"] = str(extra)


def _databases(home: Home, postgres: EmbeddedPostgres, settings: Settings, broker: Broker | None) -> dict[str, str]:
    """Make and fill the databases and the clients, as a first start does; the environment that names them."""
    home.clock.write_text(TODAY.isoformat())
    home.prepare_secrets(settings.issuer)
    bus = KAFKA if broker is not None else "postgres"
    given = settings.model_copy(update={"bus": bus, "kafka": broker.servers if broker is not None else settings.kafka})
    direct = home.environment(postgres, given)
    with with_environment(direct):
        system = System(SERVICES, Settings())
        system.migrate()
        system.seed()
        credentials.provide(home, system)
        if broker is not None:
            system.bus.prepare()
        system.stop()
        if broker is None:
            system.bus._db.dispose()  # type: ignore[union-attr]
    keep_empty(postgres)
    return direct


def _environment(folder: Path, home: Home, network: Network, direct: dict[str, str]) -> dict[str, str]:
    passwords = json.loads((home.secrets / "passwords.json").read_text())
    urls = {}
    for name in (*SERVICE_NAMES, BUS):
        port = network.links[f"{name}→postgres"].port
        for role in (f"{name}_owner", f"{name}_app"):
            urls[f"{name}/{role}"] = f"postgresql://{role}:{passwords[role]}@127.0.0.1:{port}/{name}"
    (folder / "urls.json").write_text(json.dumps(urls))
    found = dict(direct) | {OUTSIDE: str(folder / "urls.json"), "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8"}
    for name in SERVICE_NAMES:
        found[f"{name.upper()}_DATABASE_URL"] = urls[f"{name}/{name}_app"]
        found[f"{name.upper()}_OWNER_URL"] = urls[f"{name}/{name}_owner"]
    found["BUS_DATABASE_URL"] = urls[f"{BUS}/{BUS}_owner"]
    return found | {
        "CLEANPROD_CRASH_FILE": str(folder / "crash"),
        "CLEANPROD_WEBHOOK_ALLOW": "127.0.0.0/8",
        "CLEANPROD_RETRY_SECONDS": "0.2,0.5,1,1",
        "CLEANPROD_HOME": str(home.folder),
        "CLEANPROD_SAMPLE": "none",
        "CLEANPROD_LOG_LEVEL": "WARNING",
    }


def _by_port(ports: dict[str, int]) -> list[tuple[int, str]]:
    return list({port: name for name, port in ports.items()}.items())


def _parts(lab: Lab, ports: dict[str, int]) -> list[Part]:
    if lab.bus == EMBEDDED:
        return [_part(lab, "whole", "tests.fault.lab.whole", ports["registry"])]
    workers = [_composed(lab, f"{name}-worker", free_port()) for name in SERVICE_NAMES]
    if lab.bus == KAFKA:
        return [_part(lab, "api", "tests.fault.lab.api", ports["registry"]), *workers]
    replicas = [_composed(lab, f"{name}-worker", free_port(), "-2") for name in SERVICE_NAMES]
    return [*[_composed(lab, f"{name}-api", ports[name]) for name in SERVICE_NAMES], *workers, *replicas]


def _part(lab: Lab, name: str, module: str, port: int) -> Part:
    environment = lab.environment | {"CLEANPROD_PORT": str(port)} | _kafka(lab)
    ready = _asking(port, "/readyz")
    return Part(name, [sys.executable, "-m", module], environment, lab.folder / f"{name}.log", ready)


def _composed(lab: Lab, service: str, port: int, replica: str = "") -> Part:
    """A service by its command in docker-compose.yml, with the databases that it is given there and no other."""
    topology = Topology(lab.environment)
    known = set(topology.environment(service))
    mine = {n: v for n, v in lab.environment.items() if n in known or not n.endswith("_URL")}
    is_api = service.endswith("-api")
    mine |= {"CLEANPROD_PORT" if is_api else "CLEANPROD_STATUS_PORT": str(port)} | _kafka(lab)
    ready, name = _asking(port, "/readyz" if is_api else "/metrics"), service + replica
    return Part(name, topology.command(service), mine, lab.folder / f"{name}.log", ready)


def _kafka(lab: Lab) -> dict[str, str]:
    return {"CLEANPROD_KAFKA": lab.broker.through} if isinstance(lab.broker, LabBroker) else {}


def _asking(port: int, path: str) -> Callable[[], bool]:
    return lambda: _answers(port, path)


def _answers(port: int, path: str) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
