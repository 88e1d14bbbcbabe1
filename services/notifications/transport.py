"""Sends one webhook: to a checked address, within a time limit, reading little and following nothing."""

import asyncio
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from services.notifications.schedule import retry_after_seconds
from services.notifications.targets import (
    AllowList,
    Target,
    TargetProblem,
    TargetRefused,
    connection_problem,
    read_target,
)


@dataclass(frozen=True)
class Limits:
    """Seconds for the whole exchange and for reaching the receiver (TCP and TLS); bytes of the answer kept."""

    total: float = 15
    connect: float = 3
    head: int = 4096


@dataclass(frozen=True)
class Outgoing:
    """One POST: the URL as the subscriber gave it, the headers to send, and the exact bytes that were signed."""

    url: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Sent:
    """How it went. `error_code` is None when the receiver answered in time and not with a redirect; `reason` says
    why a target was refused and is for operators only."""

    http_status: int | None
    error_code: str | None
    duration_ms: int
    retry_after_s: int | None = None
    response_head: bytes = b""
    reason: str | None = None

    @property
    def answered(self) -> bool:
        """Whether the receiver said anything, and in time; a target that is refused was never asked."""
        return self.error_code in (None, "redirect", "target_not_allowed")

    @property
    def succeeded(self) -> bool:
        return self.error_code is None and self.http_status is not None and 200 <= self.http_status < 300


class GuardedResolver(AbstractResolver):
    """Looks a host up and refuses it whole when a single one of its addresses is not allowed."""

    def __init__(self, inner: AbstractResolver, allow: AllowList, *, is_plain: bool) -> None:
        self._inner, self._allow, self._is_plain = inner, allow, is_plain

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        for one in found:
            if reason := connection_problem(one["host"], port, is_plain=self._is_plain, allow=self._allow):
                raise TargetRefused(reason)
        return found

    async def close(self) -> None:
        await self._inner.close()


@dataclass
class _Answer:
    status: int | None = None
    retry_after_s: int | None = None
    head: bytearray = field(default_factory=bytearray)


class Transport:
    """An async context manager around two guarded aiohttp sessions, one for https and one for plain http.

    Two, because the guard sees an address and not a scheme, and plain http needs an opened range.
    """

    def __init__(
        self,
        allow: AllowList,
        *,
        resolver: AbstractResolver | None = None,
        tls: ssl.SSLContext | None = None,
        limits: Limits | None = None,
    ) -> None:
        """`resolver` replaces the system's (its answers are checked all the same); `tls` the default trust."""
        self._allow, self._resolver, self._tls, self._limits = allow, resolver, tls, limits or Limits()
        self._sessions: dict[bool, aiohttp.ClientSession] = {}

    async def __aenter__(self) -> "Transport":
        self._sessions = {is_plain: self._session(is_plain=is_plain) for is_plain in (False, True)}
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for session in self._sessions.values():
            await session.close()

    async def send(self, outgoing: Outgoing) -> Sent:
        """POST it; every outcome is a value. Codes: `target_not_allowed`, `timeout`, `tls_failed`,
        `connection_failed`, `redirect` (with its status), `response_too_slow` (with its status)."""
        started = time.monotonic()
        answer, error_code, reason = _Answer(), None, None
        try:
            await self._post(read_target(outgoing.url, self._allow), outgoing, answer)
        except TargetRefused as refused:
            error_code, reason = refused.problem.code, refused.problem.reason
        except TimeoutError:
            error_code = "timeout" if answer.status is None else "response_too_slow"
        except (aiohttp.ClientSSLError, ssl.SSLError):
            error_code = "tls_failed"
        except (aiohttp.ClientError, OSError):
            error_code = "connection_failed"
        if error_code is None and answer.status is not None and 300 <= answer.status < 400:
            error_code = "redirect"
        spent = int((time.monotonic() - started) * 1000)
        return Sent(answer.status, error_code, spent, answer.retry_after_s, bytes(answer.head), reason)

    async def resolve_ok(self, url: str) -> TargetProblem | None:
        """Like the module's `resolve_ok`, with this transport's allowed ranges and resolver."""
        return await resolve_ok(url, self._allow, resolver=self._resolver, timeout_s=self._limits.connect)

    async def _post(self, target: Target, outgoing: Outgoing, answer: _Answer) -> None:
        post = self._sessions[target.is_plain].post
        async with post(target.url, data=outgoing.body, headers=outgoing.headers, allow_redirects=False) as response:
            answer.status = response.status
            answer.retry_after_s = retry_after_seconds(response.headers.get("Retry-After"), datetime.now(UTC))
            while (wanted := self._limits.head - len(answer.head)) > 0:
                chunk = await response.content.read(wanted)
                if not chunk:
                    return
                answer.head += chunk
            response.close()

    def _session(self, *, is_plain: bool) -> aiohttp.ClientSession:
        def checked_socket(info: aiohttp.AddrInfoType) -> socket.socket:
            family, kind, protocol, _, address = info
            host, port = str(address[0]), int(address[1])
            if reason := connection_problem(host, port, is_plain=is_plain, allow=self._allow):
                raise TargetRefused(reason)
            return socket.socket(family, kind, protocol)

        connector = aiohttp.TCPConnector(
            limit=0,
            ssl=self._tls or True,
            use_dns_cache=False,
            resolver=GuardedResolver(self._resolver or aiohttp.ThreadedResolver(), self._allow, is_plain=is_plain),
            socket_factory=checked_socket,
            # The race between addresses swallows what the socket factory raises; the price is that a host whose
            # first address is dead costs the connect timeout.
            happy_eyeballs_delay=None,
            keepalive_timeout=30,
        )
        return aiohttp.ClientSession(
            connector=connector,
            headers={"User-Agent": "cleanprod-webhooks/1", "Accept": "*/*", "Accept-Encoding": "identity"},
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=self._limits.total, sock_connect=self._limits.connect),
            trust_env=False,
            auto_decompress=False,
            read_bufsize=self._limits.head,
        )


async def resolve_ok(
    url: str, allow: AllowList, *, resolver: AbstractResolver | None = None, timeout_s: float = 3
) -> TargetProblem | None:
    """Judge a URL and what its host resolves to now; for the moments when a subscriber gives us a URL.

    A host that cannot be looked up (yet) is no problem, unless it would need an opened range: the connection decides.
    """
    try:
        target = read_target(url, allow)
        if target.address is not None:
            return None
        guarded = GuardedResolver(resolver or aiohttp.ThreadedResolver(), allow, is_plain=target.is_plain)
        try:
            found = await asyncio.wait_for(guarded.resolve(target.host, target.port), timeout_s)
        except (OSError, UnicodeError, TimeoutError):
            found = []
        if target.only_if_opened and not found:
            raise TargetRefused(target.only_if_opened)
    except TargetRefused as refused:
        return refused.problem
    return None
