"""Sending on real sockets: who is reached, who is never reached, and what becomes of bad answers."""

import asyncio
import socket
import ssl
import time
from pathlib import Path

import pytest
import standardwebhooks
import svix
from aiohttp import web

from services.notifications.signing import SigningKey, new_secret, sign
from services.notifications.targets import AllowList, TargetRefused
from services.notifications.transport import Limits, Outgoing, Sent, Transport, resolve_ok
from tests.unit.notifications.receivers import (
    LOOPBACK,
    NOTHING,
    PUBLIC,
    Answers,
    Unresolvable,
    canary,
    raw_receiver,
    receiver,
    self_signed,
)

BODY = b'{"test": 2432232314}'
PATIENT = Limits(total=10)
HURRIED = Limits(total=0.25)


async def send(
    url: str,
    allow: AllowList = LOOPBACK,
    *,
    resolver: Answers | None = None,
    tls: ssl.SSLContext | None = None,
    limits: Limits = PATIENT,
) -> Sent:
    async with Transport(allow, resolver=resolver, tls=tls, limits=limits) as transport:
        return await transport.send(Outgoing(url, {"content-type": "application/cloudevents+json"}, BODY))


def test_a_receiver_gets_the_exact_bytes_and_headers_and_independent_libraries_verify_them() -> None:
    async def run() -> None:
        old, new, now = new_secret(), new_secret(), int(time.time())
        headers = {
            "webhook-id": "evt_01",
            "webhook-timestamp": str(now),
            "webhook-signature": sign([new, old], SigningKey.new(), "evt_01", now, BODY),
            "content-type": "application/cloudevents+json",
        }
        async with receiver() as got, Transport(LOOPBACK) as transport:
            sent = await transport.send(Outgoing(got.url + "/hook?a=1", headers, BODY))
        assert sent.succeeded and sent.http_status == 204 and sent.error_code is None and sent.duration_ms >= 0
        ((path, received, body),) = got.requests
        assert (path, body, received["Content-Type"]) == ("/hook", BODY, headers["content-type"])
        for library in (standardwebhooks.Webhook, svix.Webhook):
            for secret in (old, new):
                library(secret).verify(body, received)  # raises when it does not match

    asyncio.run(run())


@pytest.mark.parametrize("status", [200, 204, 299, 400, 404, 410, 429, 500, 503])
def test_the_status_is_reported_and_only_2xx_is_a_success(status: int) -> None:
    async def answer(_: web.BaseRequest) -> web.Response:
        return web.Response(status=status, headers={"Retry-After": "120.1"})

    async def run() -> None:
        async with receiver(answer) as got:
            sent = await send(got.url)
        assert (sent.http_status, sent.error_code, sent.retry_after_s) == (status, None, 121)
        assert sent.succeeded == (status < 300)

    asyncio.run(run())


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
def test_a_redirect_is_never_followed(status: int) -> None:
    async def run() -> None:
        async with canary() as bird, receiver() as second:
            for location in (second.url + "/second", f"https://{bird.host}:{bird.port}/", "/second"):

                async def answer(_: web.BaseRequest, location: str = location) -> web.Response:
                    return web.Response(status=status, headers={"Location": location})

                async with receiver(answer) as first:
                    sent = await send(first.url + "/first")
                assert (sent.http_status, sent.error_code, sent.succeeded) == (status, "redirect", False)
                assert [path for path, _, _ in first.requests] == ["/first"]
            assert second.requests == [] and bird.connections == 0

    asyncio.run(run())


# Every way to write the canary's loopback address, or a name that resolves to it.
FORMS = [
    "https://{host}:{port}/",
    "http://{host}:{port}/",
    "https://[::ffff:{host}]:{port}/",
    "https://{number}:{port}/",
    "https://{hexadecimal}:{port}/",
    "https://{short}:{port}/",
    "https://{octal}:{port}/",
    "https://{host}.:{port}/",
    "https://user@{host}:{port}/",
    "https://example.com@{host}:{port}/",
    "https://example.com:{port}@{host}:{port}/",
    "https://localhost:{port}/",
    "http://localhost:{port}/",
    "https://localhost.:{port}/",
    "https://hook.example:{port}/",
]


@pytest.mark.parametrize("form", FORMS)
def test_no_form_of_an_inner_address_reaches_it_at_any_stage(form: str) -> None:
    async def run() -> None:
        async with canary() as bird:
            first, second, third, fourth = bird.host.split(".")
            number = int.from_bytes(socket.inet_aton(bird.host))
            url = form.format(
                host=bird.host,
                port=bird.port,
                number=number,
                hexadecimal=hex(number),
                short=f"{first}.{number & 0xFFFFFF}",
                octal=f"0177.{second}.{third}.{fourth}",
            )
            resolver = Answers([bird.host])
            found = await resolve_ok(url, NOTHING, resolver=resolver)
            assert found is not None and found.code == "target_not_allowed"
            sent = await send(url, NOTHING, resolver=resolver)
            assert (sent.http_status, sent.error_code) == (None, "target_not_allowed")
            assert sent.reason == found.reason
            assert bird.connections == 0

    asyncio.run(run())


def test_the_canary_would_notice_a_connection() -> None:
    async def run() -> None:
        async with canary() as bird:
            sent = await send("https://hook.example:8443/", LOOPBACK, resolver=Answers([bird.host]))
            assert bird.connections > 0
            assert sent.error_code in ("connection_failed", "tls_failed")

    asyncio.run(run())


def test_a_name_that_turns_inward_between_check_and_connection_is_blocked() -> None:
    async def run() -> None:
        async with canary() as bird:
            resolver = Answers([PUBLIC], [bird.host])
            async with Transport(NOTHING, resolver=resolver) as transport:
                url = "https://rebound.example:8443/"
                assert await transport.resolve_ok(url) is None
                sent = await transport.send(Outgoing(url, {}, BODY))
            assert (sent.error_code, sent.reason, resolver.asked) == ("target_not_allowed", "loopback", 2)
            assert bird.connections == 0

    asyncio.run(run())


def test_a_name_is_looked_up_and_judged_again_for_every_new_connection() -> None:
    async def answer(_: web.BaseRequest) -> web.Response:
        return web.Response(headers={"Connection": "close"})

    async def run() -> None:
        resolver = Answers(["127.0.0.1"], ["10.0.0.1"])
        async with receiver(answer) as got, Transport(LOOPBACK, resolver=resolver) as transport:
            outgoing = Outgoing(got.url.replace("127.0.0.1", "localhost"), {}, BODY)
            assert (await transport.send(outgoing)).succeeded
            assert (await transport.send(outgoing)).reason == "private"
        assert len(got.requests) == 1

    asyncio.run(run())


@pytest.mark.parametrize("last", [True, False])
def test_one_bad_address_among_good_ones_refuses_all(last: bool) -> None:
    async def run() -> None:
        async with canary() as bird, canary() as inner:
            both = [bird.host, "10.0.0.1"] if last else ["10.0.0.1", bird.host]
            sent = await send("https://mixed.example:8443/", LOOPBACK, resolver=Answers(both))
            assert (sent.error_code, sent.reason) == ("target_not_allowed", "private")
            found = await resolve_ok("https://mixed.example/", NOTHING, resolver=Answers([PUBLIC, inner.host]))
            assert found is not None and found.reason == "loopback"
            assert bird.connections == inner.connections == 0

    asyncio.run(run())


@pytest.mark.parametrize("is_plain", [False, True])
def test_the_socket_factory_blocks_on_its_own_even_where_nothing_is_looked_up(is_plain: bool) -> None:
    # A literal never meets the resolver; this asks the session directly, past the check of the URL.
    async def run() -> None:
        async with canary() as bird, Transport(NOTHING) as transport:
            scheme = "http" if is_plain else "https"
            for host in (bird.host, f"[::ffff:{bird.host}]"):
                with pytest.raises(TargetRefused, match="loopback"):
                    await transport._sessions[is_plain].post(f"{scheme}://{host}:{bird.port}/")
            assert bird.connections == 0

    asyncio.run(run())


def test_plain_http_to_localhost_needs_every_address_of_it_to_be_opened() -> None:
    async def run() -> None:
        async with receiver() as got:
            url = got.url.replace("127.0.0.1", "localhost")
            assert (await send(url, resolver=Answers(["127.0.0.1"]))).succeeded
            assert (await send(url, resolver=Answers(["127.0.0.1", "::1"]))).reason == "loopback"
            assert (await send(url, resolver=Answers([PUBLIC]))).reason == "https_required"
            assert (await send(url, NOTHING, resolver=Answers(["127.0.0.1"]))).reason == "https_required"
            assert len(got.requests) == 1

    asyncio.run(run())


@pytest.mark.parametrize(
    ("url", "allow", "reason"),
    [
        ("https://new.example/", NOTHING, None),
        ("https://new.example/", LOOPBACK, None),
        ("https://new.example:9000/", LOOPBACK, "port_not_allowed"),
        ("http://localhost:9000/", LOOPBACK, "https_required"),
        ("http://127.0.0.1:9000/", LOOPBACK, None),
    ],
)
def test_a_host_nobody_knows_yet_is_refused_only_where_it_would_need_an_opened_range(
    url: str, allow: AllowList, reason: str | None
) -> None:
    found = asyncio.run(resolve_ok(url, allow, resolver=Unresolvable()))
    assert (found.reason if found else None) == reason
    if found is None and "127" not in url:
        assert asyncio.run(send(url, allow, resolver=Unresolvable())).error_code == "connection_failed"


def test_a_proxy_in_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        async with canary(0) as bird, receiver() as got:
            for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
                monkeypatch.setenv(name, f"http://{bird.host}:{bird.port}")
            assert (await send(got.url)).succeeded
            assert bird.connections == 0

    asyncio.run(run())


def test_cookies_are_not_kept_and_the_connection_is() -> None:
    async def answer(_: web.BaseRequest) -> web.Response:
        return web.Response(text="ok", headers={"Set-Cookie": "tracker=1; Path=/"})

    async def run() -> None:
        async with receiver(answer) as got, Transport(LOOPBACK, resolver=Answers(["127.0.0.1"])) as transport:
            named = got.url.replace("127.0.0.1", "localhost")  # a cookie jar would keep nothing for an address
            for _ in range(3):
                assert (await transport.send(Outgoing(named, {}, BODY))).response_head == b"ok"
        assert len(got.requests) == 3 and len(got.peers) == 1
        assert not any("Cookie" in headers for _, headers, _ in got.requests)

    asyncio.run(run())


def test_a_receiver_that_does_not_answer_times_out() -> None:
    async def run() -> None:
        async with raw_receiver() as (url, _):
            sent = await send(url, limits=HURRIED)
        assert (sent.http_status, sent.error_code, sent.succeeded) == (None, "timeout", False)
        assert 200 <= sent.duration_ms < 5000

    asyncio.run(run())


def test_an_answer_that_does_not_end_in_time_is_no_success() -> None:
    async def run() -> None:
        async with raw_receiver(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", b"be patient") as (url, hung_up):
            sent = await send(url, limits=HURRIED)
            await asyncio.wait_for(hung_up.wait(), 5)
        assert (sent.http_status, sent.error_code, sent.succeeded) == (200, "response_too_slow", False)
        assert sent.response_head == b"be patient"

    asyncio.run(run())


def test_a_huge_answer_is_cut_and_the_connection_closed() -> None:
    async def run() -> None:
        start = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n"
        async with raw_receiver(start, *[b"x" * 65536] * 10) as (url, hung_up):
            sent = await send(url)
            await asyncio.wait_for(hung_up.wait(), 5)
        assert sent.succeeded and sent.response_head == b"x" * 4096

    asyncio.run(run())


def test_a_compressed_answer_is_not_unpacked() -> None:
    async def run() -> None:
        bomb = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\n\x1f\x8bbad"
        async with raw_receiver(bomb) as (url, _):
            sent = await send(url)
        assert sent.succeeded and sent.response_head == b"\x1f\x8bbad"

    asyncio.run(run())


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
    ids=["not http", "no status", "endless header", "broken chunk"],
)
def test_an_answer_that_is_not_http_is_a_failed_connection(answer: bytes) -> None:
    async def run() -> None:
        async with raw_receiver(answer) as (url, _):
            sent = await send(url)
        assert sent.error_code == "connection_failed" and not sent.succeeded

    asyncio.run(run())


def test_a_closed_port_is_a_failed_connection() -> None:
    async def run() -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))  # bound, not listening: connections are refused
            sent = await send(f"http://127.0.0.1:{taken.getsockname()[1]}/")
        assert (sent.http_status, sent.error_code) == (None, "connection_failed")

    asyncio.run(run())


@pytest.mark.parametrize(
    ("host", "is_trusted", "error_code"),
    [("hook.example", True, None), ("hook.example", False, "tls_failed"), ("other.example", True, "tls_failed")],
    ids=["trusted and named", "self-signed", "another name"],
)
def test_the_certificate_must_be_trusted_and_name_the_host(
    tmp_path: Path, host: str, is_trusted: bool, error_code: str | None
) -> None:
    server_context, file = self_signed(tmp_path, "hook.example")
    trust = ssl.create_default_context(cafile=str(file)) if is_trusted else None
    answered: list[bytes] = []

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answered.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    async def run() -> Sent:
        async with await asyncio.start_server(take, "127.0.0.1", 0, ssl=server_context) as server:
            port = server.sockets[0].getsockname()[1]
            return await send(f"https://{host}:{port}/", resolver=Answers(["127.0.0.1"]), tls=trust)

    sent = asyncio.run(run())
    assert sent.error_code == error_code
    assert len(answered) == (1 if error_code is None else 0)
    assert sent.succeeded == (error_code is None)


def test_https_to_a_server_that_speaks_plain_http_is_a_tls_failure() -> None:
    async def run() -> None:
        async with receiver() as got:
            assert (await send(got.url.replace("http:", "https:"))).error_code in ("tls_failed", "connection_failed")
        assert got.requests == []

    asyncio.run(run())


def test_many_webhooks_are_under_way_at_once() -> None:
    everyone_is_here, waiting = asyncio.Event(), 0

    async def answer(_: web.BaseRequest) -> web.Response:
        nonlocal waiting
        waiting += 1
        if waiting == 150:  # more than aiohttp's own default limit of 100
            everyone_is_here.set()
        await everyone_is_here.wait()
        return web.Response()

    async def run() -> None:
        async with receiver(answer) as got, Transport(LOOPBACK) as transport:
            sending = asyncio.gather(*(transport.send(Outgoing(got.url, {}, BODY)) for _ in range(150)))
            try:
                sent = await asyncio.wait_for(sending, 5)
            finally:
                everyone_is_here.set()
        assert all(one.succeeded for one in sent)

    asyncio.run(run())
