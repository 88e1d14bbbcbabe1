"""Receivers on this machine that webhooks may, or must never, reach."""

import asyncio
import random
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from services.notifications.targets import AllowList

LOOPBACK = AllowList.parse("127.0.0.0/8")
NOTHING = AllowList()
PUBLIC = "93.184.215.14"


class Answers(AbstractResolver):
    """Resolves any host to the next prepared list of addresses; the last list is repeated."""

    def __init__(self, *answers: list[str]) -> None:
        self.asked = 0
        self._answers = answers

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = self._answers[min(self.asked, len(self._answers) - 1)]
        self.asked += 1
        return [ResolveResult(hostname=host, host=ip, port=port, family=family, proto=0, flags=0) for ip in found]

    async def close(self) -> None:
        return None


class Unresolvable(Answers):
    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        raise socket.gaierror(socket.EAI_NONAME, "not known")


@dataclass
class Canary:
    """A listener that counts connections; on a port that webhooks may use, so that only the address protects it."""

    host: str
    port: int
    connections: int = 0


def own_loopback_address() -> str:
    numbers = random.SystemRandom()
    return f"127.{numbers.randint(1, 254)}.{numbers.randint(0, 255)}.{numbers.randint(1, 254)}"


@asynccontextmanager
async def canary(port: int = 8443) -> AsyncIterator[Canary]:
    bird = Canary(own_loopback_address(), port)

    async def sing(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        bird.connections += 1
        writer.close()

    async with await asyncio.start_server(sing, bird.host, port) as server:
        bird.port = server.sockets[0].getsockname()[1]
        yield bird


@dataclass
class Receiver:
    url: str = ""
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    peers: set[tuple[str, int]] = field(default_factory=set)


@asynccontextmanager
async def receiver(
    answer: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]] | None = None,
) -> AsyncIterator[Receiver]:
    """An HTTP server on 127.0.0.1 that keeps what it was sent and answers 204, or as told."""
    got = Receiver()

    async def take(request: web.BaseRequest) -> web.StreamResponse:
        got.requests.append((request.path, dict(request.headers), await request.read()))
        assert request.transport is not None
        got.peers.add(request.transport.get_extra_info("peername"))
        return await answer(request) if answer else web.Response(status=204)

    runner = web.ServerRunner(web.Server(take), shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=512)
    await site.start()
    got.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield got
    finally:
        await runner.cleanup()


@asynccontextmanager
async def raw_receiver(*parts: bytes) -> AsyncIterator[tuple[str, asyncio.Event]]:
    """Writes these bytes as its answer and then keeps the connection; the event tells that the client hung up."""
    hung_up = asyncio.Event()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            for part in parts:
                writer.write(part)
                await writer.drain()
            while await reader.read(65536):
                pass
        except ConnectionError:
            pass
        hung_up.set()
        writer.close()

    async with await asyncio.start_server(take, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook", hung_up


def self_signed(folder: Path, name: str) -> tuple[ssl.SSLContext, Path]:
    """A server context with a fresh certificate for `name`, and the certificate's file."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder(issuer_name=subject, subject_name=subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = folder / "receiver.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(file)
    return server, file
