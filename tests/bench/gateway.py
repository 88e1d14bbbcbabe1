"""The status read as a province would have it: through the gateway, before two API processes of audits."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

from infra.client import until
from infra.home import Home
from infra.ports import free_port
from infra.postgres import EmbeddedPostgres
from shared.settings import Settings
from tests.bench.measure import Figure, Scale, in_turns
from tests.bench.reads import load
from tests.bench.stage import ROOT, Stage, program
from tests.data.firms import Firm
from tests.gateway import running_gateway

NGINX = ROOT / ".cache" / "tools" / "usr" / "sbin" / "nginx"
# One caller asks here for all, on few connections: what is measured is the way, not the gateway's fairness to others.
UNLIMITED = {"rate=200r/s": "rate=1000000r/s", "keepalive_timeout 65s;": "keepalive_timeout 65s; keepalive_requests 1000000;"}


def figures(stage: Stage, known: Sequence[Firm], scale: Scale) -> list[Figure]:
    """Beside the same bare ASGI app as the direct read; nothing where nginx cannot be had."""
    if subprocess.run([str(ROOT / "infra/tools.sh")], capture_output=True).returncode:
        sys.stdout.write("gateway: not measured, nginx could not be fetched\n")
        return []
    seconds, rounds = scale.of(3, 1), scale.of(3, 2)
    token = stage.callers["bank"].token()
    ours = [f"/audits/v1/enterprises/{firm.uscc}/status" for firm in known]
    os.environ["DATABASE_URL"] = stage.url("audits")
    with _gateway(stage) as base, program("tests.bench.floors.status_app") as address:
        floor, mine = in_turns(
            rounds,
            lambda: load(address, [f"/{firm.uscc}" for firm in known], seconds),
            lambda: load(base, ours, seconds, token),
        )
    return [Figure("status read through nginx and two workers", mine, floor, "req/s")]


@contextmanager
def _gateway(stage: Stage) -> Iterator[str]:
    home = Home(stage.instance.home)
    settings = Settings(issuer=stage.instance.base, bus="postgres")
    environment = os.environ | home.environment(EmbeddedPostgres(home.folder / "postgres"), settings)
    ports, port = [free_port(), free_port()], free_port()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cleanprod-bench-")))
        for replica in ports:
            command = [sys.executable, "-m", "services.audits", "api"]
            given = environment | {"CLEANPROD_PORT": str(replica), "CLEANPROD_HOST": "127.0.0.1"}
            process = subprocess.Popen(command, cwd=ROOT, env=given)
            stack.callback(process.wait, 30)
            stack.callback(process.terminate)
        for replica in ports:
            until(lambda at=replica: _ready(at), what="an API process")  # type: ignore[misc]
        stack.enter_context(running_gateway(str(NGINX), folder, port, {"audits": [str(p) for p in ports]}, UNLIMITED))
        yield f"http://127.0.0.1:{port}"


def _ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/livez", trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False
