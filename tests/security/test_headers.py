"""What every answer carries, what none does, and what the gateway lets in."""

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from infra.documents import application
from infra.instance import _config
from infra.parts import SERVICES
from infra.ports import free_port
from shared import run
from shared.settings import Settings
from tests.contract.test_topology import tool
from tests.gateway import running_gateway
from tests.security.conftest import Sizes
from tests.security.operations import Operation, operations
from tests.security.test_mass_assignment import send
from tests.security.world import World

READS = [o for o in operations() if o.method == "GET" and not o.path.endswith("/stream") and not o.open]
NAMES = [service.name for service in SERVICES]
INSIDE = [
    "/metrics",
    "/docs/../metrics",
    "/registry/v1/..%2f..%2fmetrics",
    "/%2e%2e/metrics",
    "//metrics",
    "/registry/metrics",
]
INSIDE += [
    "/registry/livez",
    "/registry/v1",
    "/registry/v0/enterprises",
    "/registry/v2/enterprises",
    "/REGISTRY/v1/clients",
]
INSIDE += [
    "/sandbox/clock",
    "/admin",
    "/debug",
    "/redoc",
    "/.env",
    "/%zz",
    "/gateway",
    "/status",
    "/nginx_status",
    "/openapi.yaml",
]


def harmless(headers: dict[str, str]) -> None:
    """What is told to every browser and cache, and what is told to nobody."""
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"]
    assert "cache-control" in headers
    assert not {"server", "x-powered-by", "access-control-allow-origin", "x-aspnet-version", "via"} & set(headers)


@pytest.mark.parametrize("operation", READS, ids=str)
def test_an_answer_is_not_guessed_at_not_framed_and_not_kept_by_others(
    world: World, operation: Operation, sizes: Sizes
) -> None:
    for kind in ("application/json", "text/html"):
        answer = send(world, operation, headers={"Accept": kind})
        harmless(dict(answer.headers))
        cached = answer.headers["cache-control"]
        assert "private" in cached or "no-store" in cached, "nobody between us keeps what is for one caller"
        if "html" in answer.headers.get("content-type", ""):
            assert "script" not in answer.headers["content-security-policy"]
        sizes["headers: answers looked at"] += 1


def test_refusals_carry_the_same(world: World) -> None:
    for name, path in (("nobody", "/registry/v1/clients"), ("public", "/registry/v1/clients"), ("public", "/nowhere")):
        answer = world[name].get(path)
        harmless(dict(answer.headers))
        assert answer.headers["cache-control"] == "no-store"


def test_a_secret_is_kept_by_no_cache(world: World) -> None:
    subscriber = world["subscriber 乙"]
    made = subscriber.post("/notifications/v1/subscriptions", {"url": "http://127.0.0.1:9/x", "types": ["*"]})
    place = f"/notifications/v1/subscriptions/{made.json()['id']}"
    rotated = subscriber.post(f"{place}/rotate-secret")
    client = world["provincial_ecology"].post("/registry/v1/clients", {"role": "subscriber", "name": "x"})
    fresh = world["provincial_ecology"].post(f"/registry/v1/clients/{client.json()['client_id']}/rotate-secret")
    basic = (fresh.json()["client_id"], fresh.json()["client_secret"])
    token = world.client.request(
        "POST", "/registry/v1/oauth/token", data={"grant_type": "client_credentials"}, auth=basic
    )
    for answer in (made, rotated, client, fresh, token):
        assert answer.is_success, answer.text
        assert answer.headers["cache-control"] == "no-store"
    assert subscriber.delete(place).status_code == 204


def test_the_first_pages_allow_scripts_of_ours_alone(world: World) -> None:
    from tests.security.world import Local

    pages = Local(application())
    try:
        for path in (
            "/",
            "/docs",
            "/problems/not-found",
            "/docs/start.js",
            "/openapi.json",
            "/asyncapi.json",
            "/livez",
        ):
            answer = pages.request("GET", path)
            assert answer.status_code == 200, path
            harmless(dict(answer.headers))
            policy = answer.headers["content-security-policy"]
            assert "unsafe" not in policy and "http" not in policy and "frame-ancestors 'none'" in policy
    finally:
        pages.close()


@pytest.mark.parametrize("way", ["make run", "api"])
def test_a_server_does_not_say_what_it_is(world: World, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings, port = Settings(), free_port()
    made: list[uvicorn.Config] = []
    if way == "make run":
        made.append(_config(world.system, settings))
    else:
        monkeypatch.setattr(run.uvicorn, "run", lambda app, **given: made.append(uvicorn.Config(app, **given)))
        run.serve(world.system.edge, settings)
    made[0].host, made[0].port, made[0].loop = "127.0.0.1", port, "asyncio"
    server = uvicorn.Server(made[0])
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        while not server.started:
            assert thread.is_alive()
        connection.request("GET", "/livez")
        answer = connection.getresponse()
        assert answer.status == 200
        harmless({name.lower(): value for name, value in answer.getheaders()})
        connection.close()
    finally:
        server.should_exit = True
        thread.join(20)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """nginx with its own file; nobody stands behind it, so that what it lets through is a 503."""
    nginx, port = tool("nginx"), free_port()
    nobody = {name: [str(free_port())] for name in (*NAMES, "documents")}
    with running_gateway(nginx, Path(tmp_path_factory.mktemp("inventory")), port, nobody):
        yield port


def asked(port: int, method: str, path: str) -> tuple[int, dict[str, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.putrequest(method, path, skip_accept_encoding=True)
        connection.putheader("Content-Length", "0")
        connection.endheaders()
        answer = connection.getresponse()
        answer.read()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}
    finally:
        connection.close()


@pytest.mark.parametrize(
    "request_",
    [b"GET /%2e%2e/metrics HTTP/1.1\r\nHost: a\r\n\r\n", b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
     b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 70_000 + b"\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\r\n\r\n"],
    ids=["above the root", "long address", "long header", "no host", "no HTTP"],
)  # fmt: skip
def test_what_the_gateway_cannot_read_is_a_bad_request(gateway: int, request_: bytes) -> None:
    with socket.create_connection(("127.0.0.1", gateway), 20) as connection:
        connection.sendall(request_)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        assert (answer.status, answer.headers["Content-Type"]) == (400, "application/problem+json")
        assert json.loads(answer.read())["code"] == "bad_request"


def test_the_gateway_lets_in_what_the_interface_has_and_nothing_of_the_inside(gateway: int, sizes: Sizes) -> None:
    for operation in operations():
        ids = dict.fromkeys(operation.names("path"), "x")
        status, _ = asked(gateway, operation.method, operation.at(ids))
        assert status == 503, operation
        sizes["headers: operations through the gateway"] += 1
    for path in INSIDE:
        for method in ("GET", "POST"):
            status, headers = asked(gateway, method, path)
            assert status == (400 if "%2e%2e" in path or "%zz" in path else 404), (method, path, status)
            assert headers["x-content-type-options"] == "nosniff"
            assert headers.get("server", "nginx") == "nginx", "no version is told"
            sizes["headers: inside paths refused by the gateway"] += 1
