"""The gateway as it runs: nginx with its own configuration before stub services."""

import http.client
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from infra.parts import SERVICES
from infra.ports import free_port
from tests.contract.test_topology import tool
from tests.gateway import running_gateway

NAMES = [service.name for service in SERVICES]


class Stub(BaseHTTPRequestHandler):
    """Says which service it stands for and what it was sent; streams two lines for the event stream."""

    protocol_version = "HTTP/1.1"
    service = ""
    may_end = threading.Event()

    def do_GET(self) -> None:
        if self.path.endswith("/stream"):
            return self._stream()
        length = int(self.headers.get("Content-Length", "0"))
        self.rfile.read(length)
        headers = {name.lower(): value for name, value in self.headers.items()}
        told = {"service": self.service, "path": self.path, "headers": headers, "length": length}
        status = 409 if self.path.endswith("/conflict") else 200
        body = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/problem+json" if status == 409 else "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        return None

    do_POST = do_PATCH = do_GET

    def _stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.wfile.write(b"data: first\n\n")
        self.wfile.flush()
        self.may_end.wait(10)
        self.wfile.write(b"data: last\n\n")
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """The stub is silent."""


class Gateway:
    """A running nginx and what it answers."""

    def __init__(self, port: int) -> None:
        self.port = port

    def ask(
        self, method: str, path: str, *, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            content = answer.read()
            told = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, told, json.loads(content) if "json" in told.get("content-type", "") else content
        finally:
            connection.close()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    nginx, folder, servers = tool("nginx"), tmp_path_factory.mktemp("gateway"), []
    ports = {}
    for name in [*NAMES, "documents"]:
        server = ThreadingHTTPServer(("127.0.0.1", 0), type("Named", (Stub,), {"service": name}))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        ports[name] = server.server_address[1]
    ports["incentives"] = free_port()  # nobody answers there: an API that is away
    port = free_port()
    with running_gateway(nginx, folder, port, {name: [str(at)] for name, at in ports.items()}):
        yield Gateway(port)
    for server in servers:
        server.shutdown()


@pytest.mark.parametrize("name", [name for name in NAMES if name != "incentives"])
def test_a_path_reaches_its_service_unchanged(gateway: Gateway, name: str) -> None:
    status, _, told = gateway.ask("GET", f"/{name}/v1/things/a%20b?limit=3&q=%E6%B9%98")
    assert (status, told["service"], told["path"]) == (200, name, f"/{name}/v1/things/a%20b?limit=3&q=%E6%B9%98")


@pytest.mark.parametrize(
    "path", ["/", "/docs", "/docs/pages.css", "/openapi.json", "/asyncapi.json", "/problems/x", "/readyz"]
)
def test_the_documents_have_a_process_of_their_own(gateway: Gateway, path: str) -> None:
    assert gateway.ask("GET", path)[2]["service"] == "documents"


@pytest.mark.parametrize(
    "path", ["/metrics", "/registry/metrics", "/unknown/v1/x", "/registry/v2/x", "/docsx", "/registry"]
)
def test_what_is_inside_stays_inside(gateway: Gateway, path: str) -> None:
    status, headers, problem = gateway.ask("GET", path)
    assert (status, problem["code"], problem["instance"]) == (404, "not_found", path)
    assert headers["content-type"].startswith("application/problem+json")
    assert headers["x-request-id"] == problem["request_id"]


def test_only_listed_headers_of_a_caller_reach_a_service(gateway: Gateway) -> None:
    outside = {
        "Authorization": "Bearer t",
        "Idempotency-Key": "k",
        "If-Match": '"3"',
        "X-Forwarded-For": "10.0.0.1",
        "X-Forwarded-Host": "evil.example",
        "X-Internal-Role": "provincial_ecology",
        "Client-Cert": "c",
        "X-Request-ID": "mine-1",
    }
    told = gateway.ask("POST", "/registry/v1/enterprises", body=b"{}", headers=outside)[2]["headers"]
    assert (told["authorization"], told["idempotency-key"], told["if-match"]) == ("Bearer t", "k", '"3"')
    assert (told["x-request-id"], told["x-forwarded-for"]) == ("mine-1", "127.0.0.1")
    assert not {"x-forwarded-host", "x-internal-role", "client-cert"} & set(told)


def test_a_request_id_that_could_harm_a_log_is_replaced(gateway: Gateway) -> None:
    told = gateway.ask("GET", "/audits/v1/rounds", headers={"X-Request-ID": 'a"b c'})[2]["headers"]
    assert told["x-request-id"] != 'a"b c'
    assert len(told["x-request-id"]) == 32


def test_a_refusal_of_a_service_passes_unchanged(gateway: Gateway) -> None:
    status, _, told = gateway.ask("POST", "/audits/v1/conflict", body=b"{}")
    assert (status, told["service"]) == (409, "audits")


def test_a_body_over_the_limit_is_a_problem(gateway: Gateway) -> None:
    status, _, problem = gateway.ask("POST", "/registry/v1/oauth/token", body=b"x" * 20_000)
    assert (status, problem["code"]) == (413, "file_too_large")


def test_a_large_upload_passes_whole(gateway: Gateway) -> None:
    status, _, told = gateway.ask("POST", "/audits/v1/files", body=b"x" * (20 * 1024 * 1024))
    assert (status, told["length"]) == (200, 20 * 1024 * 1024)


def test_a_service_that_is_away_is_a_503_in_the_readers_language(gateway: Gateway) -> None:
    status, headers, problem = gateway.ask("GET", "/incentives/v1/programmes", headers={"Accept-Language": "en"})
    assert (status, problem["status"], problem["code"], headers["retry-after"]) == (503, 503, "overloaded", "1")
    assert problem["title"] == "Temporarily unavailable"
    assert gateway.ask("GET", "/incentives/v1/programmes")[2]["title"] == "暂时不可用"


def test_a_path_cannot_put_anything_into_a_problem(gateway: Gateway) -> None:
    status, _, problem = gateway.ask("GET", "/x%22,%22code%22:%22ok")
    assert (status, problem["code"], problem["instance"]) == (404, "not_found", "/")


def test_signing_in_too_fast_is_a_429(gateway: Gateway) -> None:
    answers = [gateway.ask("POST", "/registry/v1/oauth/token", body=b"grant_type=x") for _ in range(80)]
    refused = [(headers, problem) for status, headers, problem in answers if status == 429]
    assert refused
    for headers, problem in refused:
        assert (problem["code"], headers["retry-after"]) == ("too_many_requests", "1")
    assert answers[0][0] == 200
    assert gateway.ask("GET", "/registry/v1/enterprises")[0] == 200, "signing in has a limit of its own"


def test_an_event_is_seen_before_the_stream_ends(gateway: Gateway) -> None:
    Stub.may_end.clear()
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=5)
    connection.request("GET", "/notifications/v1/events/stream")
    answer = connection.getresponse()
    assert answer.read1(64) == b"data: first\n\n", "it came while the stream was open"
    Stub.may_end.set()
    assert b"last" in answer.read()
    connection.close()
