"""Every refusal is a problem document; every request has an identity; nothing that came in goes out raw."""

import re
import time
from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pytest

from shared import app as shared_app
from shared.app import Edge
from shared.db import Database
from tests.conftest import Api, shown
from tests.integration.http.conftest import As
from tests.integration.http.proof import gate
from tests.integration.messaging.effects import Running, effects, rows

THINGS = "/proof/v1/things"
MARKER = "x9Marker<script>9x"
Owner = psycopg.Connection[tuple[object, ...]]


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    found: dict[str, Any] = answer.json()
    assert {"type", "title", "status", "detail", "code", "instance", "request_id"} <= set(found)
    assert (answer.status_code, found["status"], found["code"]) == (status, status, code), shown(answer)
    assert found["type"] == f"/problems/{code.replace('_', '-')}"
    assert found["request_id"] == answer.headers["x-request-id"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers.get("content-length") == str(len(answer.content))
    assert "Traceback" not in answer.text and "inner-detail" not in answer.text
    return found


def chunks(size: int) -> Iterator[bytes]:
    for _ in range(size // 65536 + 1):
        yield b" " * 65536


JSON = {"Content-Type": "application/json"}
DEEP = b"[" * 100_000


@pytest.mark.parametrize("prefix", ["/proof/v1", "/proof/v2", "/credit", "/proof/v1/things/1/2/3", "/%00"])
def test_an_unknown_path_is_not_found(me: Api, prefix: str) -> None:
    problem(me.get(f"{prefix}/nowhere"), 404, "not_found")


def test_a_path_that_knows_other_methods_names_all_of_them(me: Api) -> None:
    answer = me.delete(f"{THINGS}/1")
    problem(answer, 405, "method_not_allowed")
    assert answer.headers["Allow"] == "GET, PATCH"
    assert me.request("PUT", THINGS).headers["Allow"] == "GET, POST"


@pytest.mark.parametrize("method", ["POST", "PATCH"])
@pytest.mark.parametrize("key", ["", "k"])
def test_a_body_over_the_limit_is_refused_by_its_length_and_by_its_stream(me: Api, method: str, key: str) -> None:
    path, over = THINGS if method == "POST" else f"{THINGS}/1", shared_app.MAX_BODY + 1
    headers = JSON | {"Idempotency-Key": key, "If-Match": '"3"'}
    problem(me.request(method, path, content=b" " * over, headers=headers), 413, "file_too_large")
    problem(me.request(method, path, content=chunks(over), headers=headers), 413, "file_too_large")


@pytest.mark.parametrize(
    "body", [b"{", b"", b"\xff\xfe{}", b'{"name": "\xe9"}', DEEP, b'{"name": "\\ud800"}', b"null", b"[]", b'"x"', b"1e999"]
)
def test_a_body_that_is_no_json_of_ours_is_a_shape_fault(me: Api, body: bytes) -> None:
    found = problem(me.request("POST", THINGS, content=body, headers=JSON), 422, "invalid_request")
    assert found["errors"][0]["pointer"] in ("", "/name")


def test_a_form_that_is_cut_is_a_shape_fault(me: Api) -> None:
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    problem(me.request("POST", "/proof/v1/files", content=b"--b\r\nContent-Disp", headers=kind), 422, "invalid_request")
    problem(me.request("POST", "/proof/v1/files", content=b"x", headers=kind), 422, "invalid_request")


def test_without_a_token_nothing_else_is_looked_at(nobody: Api) -> None:
    for method, path, body in (("POST", THINGS, b"{"), ("GET", "/nowhere", b""), ("PUT", f"{THINGS}?x=1", b"")):
        answer = nobody.request(method, path, content=body)
        problem(answer, 401, "token_missing")
        assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_an_unknown_query_parameter_is_named(me: Api) -> None:
    found = problem(me.get(f"{THINGS}?q=a&offset=3"), 422, "invalid_request")
    assert [(e["pointer"], e["code"]) for e in found["errors"]] == [("/query/offset", "unknown_field")]


@pytest.mark.parametrize(
    "path",
    [f"{THINGS}?q=%00", f"{THINGS}?limit=0", f"{THINGS}/x"],
)
def test_a_value_that_no_database_holds_is_the_callers_mistake(me: Api, path: str) -> None:
    problem(me.get(path), 422, "invalid_request")


def test_a_path_that_no_database_holds_is_not_found(me: Api) -> None:
    problem(me.get("/proof/v1/names/%00"), 404, "not_found")


def test_a_number_that_no_column_holds_is_the_callers_mistake(me: Api, db: Database) -> None:
    problem(me.post(THINGS, {"name": "a", "n": 2**40}), 422, "invalid_request")
    problem(me.post(THINGS, {"name": "a\0b"}), 422, "invalid_request")
    assert rows(db, "SELECT 1 FROM outbox") == []


def test_a_defect_shows_its_number_and_nothing_else(me: Api, db: Database) -> None:
    found = problem(me.post(THINGS, {"name": "a", "ending": "explodes"}), 500, "internal_error")
    assert set(found) == {"type", "title", "status", "detail", "code", "instance", "request_id"}
    assert effects(db, "http") == []


@pytest.mark.parametrize("ending", ["orphan", "refused"])
def test_a_change_that_cannot_be_committed_is_never_a_success(me: Api, db: Database, ending: str) -> None:
    answer = me.patch(f"{THINGS}/1", {"name": "a", "ending": ending}, headers={"If-Match": '"3"'})
    assert answer.status_code in (409, 500)
    assert effects(db, "http") == []


@pytest.mark.parametrize("ending", ["lost", "deadlock"])
def test_a_lost_database_connection_asks_to_try_again_and_the_next_request_works(me: Api, ending: str) -> None:
    answer = me.post(THINGS, {"name": "a", "ending": ending})
    problem(answer, 503, "overloaded")
    assert answer.headers["Retry-After"] == "1"
    assert me.post(THINGS, {"name": "a"}).status_code == 201


def test_a_database_that_is_away_is_a_503_and_liveness_goes_on(
    me: Api, nobody: Api, urls: dict[str, str], admin: Owner
) -> None:
    name = f"credit_{urls['MARK']}"
    admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
    try:
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
        problem(me.post(THINGS, {"name": "a"}), 503, "overloaded")
        problem(me.get(f"{THINGS}/1"), 503, "overloaded")
        assert nobody.get("/livez").status_code == 200
        assert nobody.get("/metrics").status_code == 200
        ready = nobody.get("/readyz")
        assert (ready.status_code, ready.json()["services"]["proof"]["ready"]) == (503, False)
    finally:
        admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
    assert me.post(THINGS, {"name": "a"}).status_code == 201


def test_too_many_in_flight_are_refused_and_health_is_not(me: Api, nobody: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_app, "MAX_IN_FLIGHT", 1)
    with gate("held") as held, Running(lambda stop: me.post(THINGS, {"name": "a", "ending": "held"})):
        assert held.entered.wait(20)
        answer = me.get(f"{THINGS}/1")
        problem(answer, 503, "overloaded")
        assert answer.headers["Retry-After"] == "1"
        assert nobody.get("/livez").status_code == nobody.get("/metrics").status_code == 200
        held.go.set()
    assert me.get(f"{THINGS}/1").status_code == 200


def test_one_client_leaves_room_for_the_others(as_client: As, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_app, "MAX_OF_ONE_CLIENT", 1)
    one, other = as_client("one"), as_client("other")
    with gate("held") as held, Running(lambda stop: one.post(THINGS, {"name": "a", "n": 1, "ending": "held"})):
        assert held.entered.wait(20)
        problem(one.get(f"{THINGS}/1"), 503, "overloaded")
        assert other.post(THINGS, {"name": "b", "n": 2}).status_code == 201
        held.go.set()
    assert one.get(f"{THINGS}/1").status_code == 200


@pytest.mark.parametrize(
    ("asked", "language"),
    [(None, "zh"), ("en", "en"), ("zh-CN,en;q=0.5", "zh"), ("fr, en; q=0.8, zh;q=0.2", "en"), ("de", "zh"), ("en;q=0", "zh"), ("en;q=x", "zh")],
)
def test_the_reader_is_answered_in_their_language(me: Api, asked: str | None, language: str) -> None:
    headers = {"Accept-Language": asked or ""}
    for found in (me.get("/nowhere", headers=headers).json(), me.get(f"{THINGS}?x=1", headers=headers).json()):
        for text in (found["title"], found["detail"], *(e["message"] for e in found.get("errors", []))):
            assert bool(re.search(r"[\u4e00-\u9fff]", text)) == (language == "zh"), text


def test_what_came_in_never_goes_out_raw(me: Api) -> None:
    answers = [
        me.post(THINGS, {"name": ["a", MARKER], "n": MARKER}),
        me.get(f"{THINGS}/{'7x'}"),
        me.get(THINGS, params={"limit": MARKER}),
        me.get(THINGS, params={"after": MARKER}),
        me.patch(f"{THINGS}/1", {"name": "a"}, headers={"If-Match": MARKER}),
        me.request("POST", THINGS, content=f'{{"name": "{MARKER}'.encode(), headers=JSON),
        me.get(THINGS, headers={"Authorization": f"Bearer {MARKER}"}),
        me.post(THINGS, {"name": "a"}, headers={"Idempotency-Key": MARKER * 20}),
    ]
    for answer in answers:
        assert 400 <= answer.status_code < 500
        assert MARKER not in answer.text and "x9Marker" not in answer.text, answer.text


def test_a_field_name_of_the_callers_is_a_short_escaped_pointer(me: Api) -> None:
    found = problem(me.post(THINGS, {"name": "a", "b/~" + "c" * 5000: 1}), 422, "invalid_request")
    assert found["errors"][0]["pointer"] == "/b~1~0" + "c" * 97


@pytest.mark.parametrize("given", ["r-1", "A.b_c-9", "x" * 64])
def test_a_harmless_request_id_is_kept(me: Api, given: str) -> None:
    assert me.get("/nowhere", headers={"X-Request-Id": given}).headers["x-request-id"] == given


@pytest.mark.parametrize("given", ["x" * 65, "a b", "a\tb", '"><script>', "é", "a;b", "{}"])
def test_a_request_id_that_could_harm_is_replaced(me: Api, given: str) -> None:
    answer = me.get("/nowhere", headers={"X-Request-Id": given.encode("latin-1")})
    assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["x-request-id"])


def test_the_trace_and_the_request_id_go_on_into_the_envelope(me: Api, db: Database) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    headers = {"traceparent": f"00-{trace}-b7ad6b7169203331-01", "X-Request-Id": "r-77"}
    assert me.post(THINGS, {"name": "a"}, headers=headers).status_code == 201
    me.post(THINGS, {"name": "b"}, headers={"traceparent": f"00-{'0' * 32}-b7ad6b7169203331-01"})
    (one,), (two,) = rows(db, "SELECT envelope FROM outbox ORDER BY position")
    assert isinstance(one, dict) and isinstance(two, dict)
    assert one["correlation_id"] == "r-77" and one["traceparent"].split("-")[1] == trace
    assert one["traceparent"].split("-")[2] != "b7ad6b7169203331", "a span of our own"
    assert re.fullmatch(r"00-(?!0{32})[0-9a-f]{32}-[0-9a-f]{16}-01", two["traceparent"])


def test_a_read_that_is_known_is_not_sent_again(me: Api) -> None:
    first = me.get(f"{THINGS}/1")
    tag = first.headers["ETag"]
    for known in (tag, f'W/{tag}, "other"', "*"):
        again = me.get(f"{THINGS}/1", headers={"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
    me.post(THINGS, {"name": "a", "n": 1})
    assert me.get(f"{THINGS}/1", headers={"If-None-Match": tag}).status_code == 200


@pytest.mark.parametrize(
    ("condition", "status"),
    [("", 428), ('"2"', 412), ('"33"', 412), ('"3"', 200), ('"1", "3"', 200), ("*", 200), ('"1","2"', 412), ("nonsense", 412)],
)
def test_a_change_needs_the_version_that_it_changes(me: Api, db: Database, condition: str, status: int) -> None:
    answer = me.patch(f"{THINGS}/1", {"name": "a"}, headers={"If-Match": condition})
    assert answer.status_code == status, shown(answer)
    assert len(effects(db, "http")) == (status == 200)


def test_connections_come_back_whatever_becomes_of_the_request(me: Api, db: Database) -> None:
    for ending in ("well", "explodes", "refused", "orphan", "lost", "deadlock") * 10:
        me.post(THINGS, {"name": "a", "ending": ending})
    assert db.engine.pool.checkedout() == 0  # type: ignore[attr-defined]


def test_a_request_that_is_cancelled_gives_its_connection_back(edge: Edge, db: Database, me: Api) -> None:
    import asyncio

    headers = {"Authorization": f"Bearer {me._token}", "Idempotency-Key": "cancelled"}

    async def leave(held: Any) -> None:
        transport = httpx.ASGITransport(app=edge)
        async with httpx.AsyncClient(transport=transport, base_url="http://t") as client:
            asked = asyncio.create_task(client.post(THINGS, json={"name": "a", "ending": "held"}, headers=headers))
            await asyncio.to_thread(held.entered.wait, 20)
            asked.cancel()
            held.go.set()
            with pytest.raises(asyncio.CancelledError):
                await asked

    with gate("held") as held:
        asyncio.run(leave(held))
    assert db.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    assert effects(db, "http") == []
    began = time.monotonic()
    assert me.post(THINGS, {"name": "a"}, headers={"Idempotency-Key": "cancelled"}).status_code == 201
    assert time.monotonic() - began < 5
