"""The same key has one effect and one answer, whoever asks at the same time and whatever happened before."""

import asyncio
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from shared.app import Edge
from shared.auth import TokenSigner
from shared.db import Database
from shared.sealing import Sealer
from tests.conftest import Api, shown
from tests.integration.http.conftest import ME, As
from tests.integration.http.proof import SECRET, gate
from tests.integration.messaging.effects import effects, rows

THINGS = "/proof/v1/things"


def key() -> dict[str, str]:
    return {"Idempotency-Key": secrets.token_hex(8)}


def test_twins_have_one_effect_and_the_second_waits_for_the_same_bytes(me: Api, db: Database) -> None:
    mine = key()
    with gate("held") as held, ThreadPoolExecutor(2) as pool:
        first = pool.submit(me.post, THINGS, {"name": "a", "ending": "held"}, headers=mine)
        assert held.entered.wait(20)
        twin = pool.submit(me.post, THINGS, {"name": "a", "ending": "held"}, headers=mine)
        with pytest.raises(TimeoutError):
            twin.result(0.3)
        held.go.set()
        one, two = first.result(20), twin.result(20)
    assert (one.status_code, two.status_code) == (201, 201), shown(two)
    assert one.content == two.content
    assert ("Idempotency-Replayed" in one.headers, two.headers["Idempotency-Replayed"]) == (False, "true")
    assert len(effects(db, "http")) == 1
    assert rows(db, "SELECT count(*) FROM outbox") == [(1,)]


def test_a_replay_keeps_status_location_and_version(me: Api) -> None:
    mine = key()
    one, two = (me.post(THINGS, {"name": "a", "n": 5}, headers=mine) for _ in range(2))
    for name in ("Location", "ETag", "Content-Type"):
        assert one.headers[name] == two.headers[name]
    assert two.status_code == 201 and two.headers["Location"] == "/proof/v1/things/5"
    assert one.headers["X-Request-Id"] != two.headers["X-Request-Id"]


def test_the_same_key_with_another_request_is_refused(me: Api, db: Database) -> None:
    mine = key()
    assert me.post(THINGS, {"name": "a"}, headers=mine).status_code == 201
    for path, body in ((THINGS, {"name": "b"}), (f"{THINGS}?x=1", {"name": "a"}), ("/proof/v1/files", {"name": "a"})):
        answer = me.post(path, body, headers=mine)
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert effects(db, "http") == [("a", 0)]


@pytest.mark.parametrize("ending", ["refused", "explodes", "orphan", "deadlock", "lost"])
def test_a_request_that_fails_writes_nothing_emits_nothing_and_frees_its_key(me: Api, db: Database, ending: str) -> None:
    mine = key()
    failed = me.post(THINGS, {"name": "a", "ending": ending}, headers=mine)
    assert failed.status_code == {"refused": 409, "explodes": 500, "orphan": 500}.get(ending, 503), shown(failed)
    assert (effects(db, "http"), rows(db, "SELECT 1 FROM outbox"), rows(db, "SELECT 1 FROM idempotency")) == ([], [], [])
    assert me.post(THINGS, {"name": "other"}, headers=mine).status_code == 201
    assert effects(db, "http") == [("other", 0)]


def test_the_twin_of_a_request_that_fails_does_the_work(me: Api, db: Database) -> None:
    mine, body = key(), {"name": "a", "ending": "held"}
    with gate("held") as held, ThreadPoolExecutor(2) as pool:
        held.failures = 1
        first = pool.submit(me.post, THINGS, body, headers=mine)
        assert held.entered.wait(20)
        twin = pool.submit(me.post, THINGS, body, headers=mine)
        with pytest.raises(TimeoutError):
            twin.result(0.3)
        held.go.set()
        assert (first.result(20).status_code, twin.result(20).status_code) == (500, 201)
    assert "Idempotency-Replayed" not in twin.result().headers
    assert effects(db, "http") == [("a", 0)]


def test_the_key_of_another_client_is_another_key(as_client: As, db: Database) -> None:
    mine = key()
    for name in ("one", "two"):
        assert as_client(name).post(THINGS, {"name": name}, headers=mine).json()["by"] == name
    assert effects(db, "http") == [("one", 0), ("two", 0)]


def test_a_stored_answer_is_for_a_token_that_may_make_the_call(as_client: As, db: Database) -> None:
    mine = key()
    assert as_client().post(THINGS, {"name": "a"}, headers=mine).status_code == 201
    narrower = as_client(scopes=frozenset({"proof:read"})).post(THINGS, {"name": "a"}, headers=mine)
    assert (narrower.status_code, narrower.json()["code"]) == (403, "forbidden"), shown(narrower)
    assert as_client().post(THINGS, {"name": "a"}, headers=mine).headers["Idempotency-Replayed"] == "true"
    assert effects(db, "http") == [("a", 0)]


def multipart(boundary: str, content: bytes = b"1,2\r\n") -> dict[str, Any]:
    part = b"--%b\r\nContent-Disposition: form-data; name=\"%b\"%b\r\n\r\n%b\r\n"
    mark = boundary.encode()
    body = part % (mark, b"kind", b"", b"k") + part % (mark, b"file", b'; filename="a.csv"', content)
    kind = f"multipart/form-data; boundary={boundary}"
    return {"content": body + b"--%b--\r\n" % mark, "headers": {"Content-Type": kind}}


def test_the_same_form_with_another_boundary_is_the_same_request(me: Api, db: Database) -> None:
    mine = key()
    for n, boundary in enumerate(("aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbbbbbbbb")):
        form = multipart(boundary)
        form["headers"] |= mine
        answer = me.request("POST", "/proof/v1/files", **form)
        assert (answer.status_code, answer.headers.get("Idempotency-Replayed")) == (201, "true" if n else None)
    form = multipart("cccccccc", b"1,3\r\n")
    form["headers"] |= mine
    assert me.request("POST", "/proof/v1/files", **form).json()["code"] == "idempotency_key_reused"
    assert len(effects(db, "http")) == 1


def test_a_stored_answer_is_sealed_at_rest_for_its_place(me: Api, db: Database, sealer: Sealer) -> None:
    mine = key()
    assert SECRET in me.post(THINGS, {"name": "a"}, headers=mine).text
    ((whole, body),) = rows(db, "SELECT CAST(idempotency.* AS text), body FROM idempotency")
    assert isinstance(body, bytes) and isinstance(whole, str)
    for needle in (SECRET, SECRET.encode().hex(), SECRET[6:40]):
        assert needle not in whole
    assert SECRET.encode() not in body
    assert SECRET.encode() in sealer.open(body, f"idempotency/me/{mine['Idempotency-Key']}")


@pytest.mark.parametrize("length", [201, 3000, 7000])
def test_a_key_that_is_too_long_is_refused_and_never_overloads(me: Api, length: int) -> None:
    answer = me.post(THINGS, {"name": "a"}, headers={"Idempotency-Key": secrets.token_hex(length)[:length]})
    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_invalid")


def test_a_crowd_of_twins_on_one_event_loop_is_answered_soon(edge: Edge, signer: TokenSigner, db: Database) -> None:
    """More twins than threads: the first must still find a thread to commit on."""
    headers = key() | {"Authorization": f"Bearer {signer.issue(ME, time.time())}"}

    async def crowd() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app=edge)
        async with httpx.AsyncClient(transport=transport, base_url="http://t") as client:
            asked = [client.post(THINGS, json={"name": "a"}, headers=headers) for _ in range(150)]
            return await asyncio.gather(*asked)

    began = time.monotonic()
    answers = asyncio.run(crowd())
    assert {a.status_code for a in answers} == {201}
    assert sum("Idempotency-Replayed" in a.headers for a in answers) == 149
    assert len({a.content for a in answers}) == 1
    assert len(effects(db, "http")) == 1
    assert time.monotonic() - began < 9
