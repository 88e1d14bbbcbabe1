"""Targets that a webhook must never reach, in every way to write them, and listeners that would notice."""

import ipaddress
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from aiohttp import ThreadedResolver
from aiohttp.abc import ResolveResult

from tests.unit.notifications.receivers import PUBLIC, own_loopback_address
from tests.unit.notifications.test_webhook_targets import BLOCKED, REFUSED_URLS

PORT = 8443
# `{h}` is the canary's address; the others are the same address in another dress.
FORMS = (
    "https://{h}:{p}/", "http://{h}:{p}/", "HTTPS://{h}:{p}", "https://{h}:{p}?x", "https://{h}:{p}/a/../b", "https://{h}",
    "https://{number}:{p}/", "https://{hex}:{p}/", "https://{octal_number}:{p}/", "https://{short}:{p}/", "https://{shorter}:{p}/",
    "https://{octal}:{p}/", "https://{hex_parts}:{p}/", "https://{mixed}:{p}/", "https://{padded}:{p}/", "https://{h}.:{p}/",
    "https://{full_width}:{p}/", "https://{circled}:{p}/", "https://{ideographic}:{p}/", "https://{percent}:{p}/",
    "https://{h}%00.example.org:{p}/", "https://{h}%2eexample.org:{p}/", "https://{h}\\@example.org:{p}/",
    "https://example.org\\@{h}:{p}/", "https://example.org@{h}:{p}/", "https://example.org:443@{h}:{p}/",
    "https://a:b@{h}:{p}/", "https://@{h}:{p}/", "https://example.org#@{h}:{p}/", "https://example.org?@{h}:{p}/#",
    "https://{h}:{p}#example.org", "https://example.org/\r\nHost: {h}", "https://{h}\t:{p}/", " https://{h}:{p}/x y",
    "https:/{h}:{p}/", "https:{h}:{p}/", "//{h}:{p}/", "https:///{h}:{p}/", "https:\\\\{h}:{p}\\", "https://[{h}]:{p}/",
    "https://[::ffff:{h}]:{p}/", "https://[::ffff:{low}]:{p}/", "https://[0:0:0:0:0:ffff:{low}]:{p}/", "https://[::{h}]:{p}/",
    "https://[::ffff:0:{h}]:{p}/", "https://[64:ff9b::{h}]:{p}/", "https://[64:ff9b:1::{low}]:{p}/", "https://[2002:{low}::1]:{p}/",
    "https://[2001:0:{low}::{inverted}]:{p}/", "https://[fe80::5efe:{h}]:{p}/", "https://[::1]:{p}/", "https://[::1%25lo]:{p}/",
    "https://[::1%lo]:{p}/", "https://[::]:{p}/", "https://localhost:{p}/", "http://localhost:{p}/", "https://localhost.:{p}/",
    "https://LOCALHOST:{p}/", "https://a.localhost:{p}/", "https://ip6-localhost:{p}/", "https://{h}.nip.io:{p}/",
    "https://hook.example.org:{p}/", "https://hook.example.org/", "https://例子.中国:{p}/", "http://hook.example.org/",
    "https://xn--fsqu00a.xn--fiqs8s:{p}/", "https://metadata.google.internal/", "https://0:{p}/", "https://0.0.0.0:{p}/",
    "ftp://{h}:{p}/", "file:///etc/passwd", "gopher://{h}:{p}/_x", "dict://{h}:{p}/", "unix:///run/x", "data:text/plain,x",
    "javascript://{h}:{p}/%0a", "ws://{h}:{p}/", "http+unix://%2Frun%2Fx/", "jar:https://{h}:{p}/!/",
)  # fmt: skip


def dressed(host: str) -> list[str]:
    """Every form of an IPv4 address, with the port of the canary."""
    number, parts = int(ipaddress.IPv4Address(host)), host.split(".")
    one, two, three, four = (int(part) for part in parts)
    dresses = {
        "h": host, "p": str(PORT), "number": str(number), "hex": hex(number), "octal_number": f"0{number:o}",
        "short": f"{one}.{number & 0xFFFFFF}", "shorter": f"{one}.{two}.{number & 0xFFFF}",
        "octal": ".".join(f"0{int(part):o}" for part in parts), "hex_parts": ".".join(hex(int(part)) for part in parts),
        "mixed": f"0{one:o}.{two}.{hex(three)}.{four}", "padded": ".".join(part.zfill(4) for part in parts),
        "full_width": "".join(chr(ord(c) + 0xFEE0) if c.isdigit() else c for c in host),
        "circled": "".join(chr(0x245F + int(c)) if c in "123456789" else c for c in host),
        "ideographic": host.replace(".", "。"), "percent": "".join(f"%{ord(c):02x}" for c in host),
        "low": f"{number >> 16:x}:{number & 0xFFFF:x}", "inverted": f"{(number >> 16) ^ 0xFFFF:x}:{(number & 0xFFFF) ^ 0xFFFF:x}",
    }  # fmt: skip
    return [form.format(**dresses) for form in FORMS]


def literals() -> list[str]:
    """URLs with every address of the classifier's table as their host."""
    addresses = [ip for ip in BLOCKED if ip[:1].isalnum() and "." in ip and ":" not in ip and ip != "127.1"]
    return [f"https://{ip}/" for ip in addresses] + [f"https://[{ip}]/" for ip in BLOCKED if ":" in ip]


def names() -> dict[str, str]:
    """A public name for every address of the table that a resolver could answer with."""
    found = [ip for ip in BLOCKED if BLOCKED[ip] not in ("no_address", "scoped")]
    return {f"h{number}.example.org": ip for number, ip in enumerate(found)}


def corpus(canary: str) -> list[str]:
    """Everything that must be refused, each once."""
    urls = [*dressed(canary), *literals(), *(f"https://{name}/" for name in names()), *REFUSED_URLS]
    return list(dict.fromkeys(url for url in urls if len(url) <= 4000))


@dataclass
class Canary:
    """Listens on a loopback address of its own and counts who comes."""

    host: str = field(default_factory=own_loopback_address)
    connections: int = 0


@contextmanager
def listening() -> Iterator[Canary]:
    bird = Canary()
    with socket.create_server((bird.host, PORT)) as server:

        def sing() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                bird.connections += 1
                connection.close()

        thread = threading.Thread(target=sing, daemon=True)
        thread.start()
        yield bird
        server.shutdown(socket.SHUT_RDWR)
    thread.join()


@dataclass
class Names:
    """Stands in for the system's resolver: what it answers for a name, else the canary's address."""

    otherwise: list[str]
    known: dict[str, list[str]] = field(default_factory=dict)

    async def resolve(
        self, resolver: ThreadedResolver, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = self.known.get(host, self.otherwise)
        return [ResolveResult(hostname=host, host=ip, port=port, family=_family(ip), proto=0, flags=0) for ip in found]


def _family(ip: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in ip else socket.AF_INET


@contextmanager
def redirecting(status: int, location: str) -> Iterator[tuple[str, list[str]]]:
    """A receiver on 127.0.0.1 that sends everybody elsewhere; the paths that it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.path)
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(status)
            self.send_header("Location", location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST

        def log_message(self, *_: object) -> None:
            return None

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/first", asked
        server.shutdown()


__all__ = ["PORT", "PUBLIC", "Canary", "Names", "corpus", "dressed", "listening", "names", "redirecting"]
