"""What lists, filters, exports, feeds and bodies give away of another's things: nothing."""

import asyncio
import io
import json
import zipfile
from typing import Any
from uuid import uuid4

import httpx
import pytest

from services.audits.models.rounds import MOVES
from shared.auth import Caller
from tests.rounds import put_in_state
from tests.security.conftest import Sizes
from tests.security.operations import Operation, fields, operations
from tests.security.sight import NOBODYS, ids_of, relations, thing
from tests.security.test_bola_matrix import seen, state_of, unknown
from tests.security.world import Side, World

STREAM = "GET /notifications/v1/events/stream"
SHARED = {"list_id", "period"}  # things of the whole province, of which each reads its own part
READS = [
    o for o in operations() if o.method == "GET" and not o.open and set(o.names("path")) <= SHARED and str(o) != STREAM
]
KINDS = (
    "application/json",
    "application/x-ndjson",
    "text/csv",
    "text/calendar",
    "application/vnd.openxmlformats-officedocument",
)
NEAR = {"authority", "auditor", "enterprise", "institution", "bank", "owner"}
# Sorted by one number of the whole log, and shown by who reads: a place in it is nobody's.
ANYBODYS_CURSOR = {"GET /notifications/v1/events"}


def is_stranger(caller: Caller, side: Side) -> bool:
    return not any(relations(caller, side, service) & NEAR for service in ("audits", "registry", "notifications"))


def kept_from(caller: Caller, side: Side) -> set[str]:
    """What a stranger must not read; a utility is told prices, and to whose account they go."""
    priced = {side.ids["price"], f"0733-{side.city}99"} if caller.role == "utility" else set()
    return side.secrets - priced


def text_of(answer: httpx.Response) -> str:
    """All that can be read of an answer, a workbook opened."""
    if not answer.content.startswith(b"PK"):
        return answer.text + str(answer.headers)
    with zipfile.ZipFile(io.BytesIO(answer.content)) as book:
        return "".join(book.read(name).decode("utf-8", "replace") for name in book.namelist())


def queries(operation: Operation, side: Side) -> list[dict[str, str]]:
    """No filter, and every filter that can name a thing of a side."""
    named = {"uscc": side.firm.uscc, "division": side.firm.division, "q": side.firm.uscc}
    return [{}, *({name: named[name]} for name in operation.names("query") if name in named)]


@pytest.mark.parametrize("operation", READS, ids=str)
def test_no_list_filter_or_export_gives_anything_of_another(world: World, operation: Operation, sizes: Sizes) -> None:
    kinds = KINDS if "limit" in operation.names("query") else KINDS[:1]
    for side in world.sides:
        place, strangers = (
            operation.at(thing(side, operation)),
            [n for n, c in world.callers.items() if is_stranger(c, side)],
        )
        for name in strangers:
            for query, kind in [(q, k) for q in queries(operation, side) for k in kinds]:
                answer = world[name].get(place, params=query, headers={"Accept": kind})
                assert answer.status_code < 500, (name, query, kind)
                found = text_of(answer)
                leaked = {word for word in kept_from(world.callers[name], side) if word in found}
                assert not leaked, (name, query, kind, leaked)
                sizes["BOLA: (list or export, stranger, filter, format)"] += 1


def test_the_words_are_there_for_those_whose_they_are(world: World) -> None:
    """Nothing above would be found if nothing were there."""
    side = world.sides[0]
    exports = ("/audits/v1/deadlines", "/audits/v1/deadlines.xlsx", "/audits/v1/deadlines.ics")
    assert all(side.firm.name in text_of(world[f"city_ecology {side.word}"].get(path)) for path in exports)
    shown = [world[f"city_ecology {side.word}"].get(o.at(thing(side, o))) for o in operations() if o.method == "GET" and
             str(o) != STREAM and not set(o.names("path")) & NOBODYS]  # fmt: skip
    found = "".join(text_of(answer) for answer in shown)
    seen_words = {word for word in side.secrets if word in found}
    assert len(seen_words) > len(side.secrets) / 3, side.secrets - seen_words


@pytest.mark.parametrize("path", [o.path for o in READS if "uscc" in o.names("query")])
def test_a_filter_by_anothers_uscc_finds_what_an_unknown_one_finds(world: World, path: str, sizes: Sizes) -> None:
    for side in world.sides:
        for name in [n for n, caller in world.callers.items() if is_stranger(caller, side)]:
            pairs = [
                (u, seen(world[name].get(path, params={"uscc": u}), {})) for u in (side.firm.uscc, "91430200MA4QA0029A")
            ]
            assert pairs[0][1][0::2] == pairs[1][1][0::2], (name, pairs)
            sizes["BOLA: filters by another's uscc"] += 1


def test_a_cursor_is_for_the_caller_that_it_was_given_to(world: World, sizes: Sizes) -> None:
    given = set()
    for operation in [o for o in READS if "after" in o.names("query") and str(o) not in ANYBODYS_CURSOR]:
        place = operation.at(thing(world.sides[0], operation))
        for name in world.callers:
            first = world[name].get(place, params={"limit": 1})
            cursor = first.json().get("next") if first.status_code == 200 else None
            if cursor is None:
                continue
            given.add(str(operation))
            assert world[name].get(place, params={"limit": 1, "after": cursor}).status_code == 200
            for other in [n for n in world.callers if n != name]:
                answer = world[other].get(place, params={"limit": 1, "after": cursor})
                assert answer.status_code in (403, 404, 422), (name, other, answer.text)
                assert answer.status_code != 422 or answer.json()["code"] == "cursor_invalid"
                sizes["BOLA: cursors of another"] += 1
            break
    assert len(given) >= 4, given


def test_anothers_idempotency_key_is_not_a_key_to_the_answer(world: World, sizes: Sizes) -> None:
    body = {"url": "https://example.org/hook", "types": ["audits.list.published.v1"]}
    made = []
    for name in ("bank 甲", "bank 乙", "subscriber 甲", "auditor", "provincial_ecology"):
        body["url"] = "http://127.0.0.1:9/hook"
        answer = world[name].post("/notifications/v1/subscriptions", body, headers={"Idempotency-Key": "one-key"})
        assert answer.status_code == 201 and "idempotency-replayed" not in answer.headers
        made.append((name, answer.json()))
        sizes["BOLA: idempotency keys of another"] += 1
    assert len({one["id"] for _, one in made}) == len({one["secret"] for _, one in made}) == len(made)
    for name, one in made:
        assert world[name].delete(f"/notifications/v1/subscriptions/{one['id']}").status_code == 204


async def stream(world: World, token: dict[str, str], count: int) -> list[dict[str, Any]]:
    """The first events of a caller's stream."""
    content, enough = bytearray(), asyncio.Event()

    async def send(message: Any) -> None:
        content.extend(message.get("body", b""))
        if content.count(b"\ndata: ") >= count:
            enough.set()

    async def receive() -> Any:
        await enough.wait()
        return {"type": "http.disconnect"}

    scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "query_string": b""}
    scope |= {"path": STREAM.split()[1], "raw_path": STREAM.split()[1].encode(), "scheme": "http", "root_path": ""}
    headers = [(name.lower().encode(), value.encode()) for name, value in token.items()]
    await world.system.edge(scope | {"headers": headers, "client": ("t", 1), "server": ("t", 80)}, receive, send)
    lines = content.decode().splitlines()
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]


def test_the_stream_tells_each_what_the_feed_tells_it(world: World, sizes: Sizes) -> None:
    for name in world.callers:
        page = world[name].get("/notifications/v1/events", params={"limit": 500}).json()
        assert page["events"] and not page["has_more"]
        token = {"Authorization": f"Bearer {world[name]._token}"}
        assert world.client.run(stream(world, token, len(page["events"]))) == page["events"], name
        sizes["BOLA: event streams beside feeds"] += 1


FILES = [
    (operation, pointer)
    for operation in operations()
    if operation.kind == "application/json" and operation.path.rsplit("/", 1)[-1] in MOVES
    for pointer, schema in fields(operation.schema)
    if schema.get("format") == "uuid" and not pointer.startswith(("/panel", "/sheets"))
]


@pytest.mark.parametrize(("operation", "pointer"), FILES, ids=[f"{o.path.rsplit('/', 1)[-1]}{p}" for o, p in FILES])
def test_anothers_file_in_a_body_is_an_unknown_file(
    world: World, operation: Operation, pointer: str, sizes: Sizes
) -> None:
    """On one's own round, in a state that knows the move."""
    own, other = world.sides
    move = operation.path.rsplit("/", 1)[-1]
    put_in_state(world.system, own.ids["open_round"], next(iter(MOVES[move])))
    try:
        told = []
        for file in (other.ids["file_id"], str(uuid4())):
            given = with_file(operation, pointer, file)
            answer = world[f"enterprise {own.word}"].request(
                "POST", operation.at({"round_id": own.ids["open_round"]}), **given
            )
            assert {"pointer": pointer, "code": "file_unknown"}.items() <= error_at(answer, pointer).items(), (
                answer.text
            )
            told.append(seen(answer, {"file": file}))
            sizes["BOLA: another's file in a body"] += 1
        assert told[0] == told[1]
    finally:
        put_in_state(world.system, own.ids["open_round"], next(iter(MOVES["disclose"])))


def with_file(operation: Operation, pointer: str, file: str) -> dict[str, Any]:
    given = operation.request()
    body = given["json"] | ({"service_mode": "institution"} if "service_mode" in given["json"] else {})
    if pointer.startswith("/products"):
        return given | {"json": body | {"phase": "P1_PREPARATION", "products": [{"kind": "work_plan", "file": file}]}}
    body |= {"service_mode": "self"} if pointer == "/ability_proof" else {}
    return given | {"json": body | {pointer[1:]: file}}


def error_at(answer: httpx.Response, pointer: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = answer.json().get("errors", [])
    return next((error for error in found if error["pointer"] == pointer), {})


NAMING = [
    o for o in operations() if o.kind == "application/json" and "/uscc" in dict(fields(o.schema)) and not ids_of(o)
]


@pytest.mark.parametrize("operation", NAMING, ids=str)
def test_a_body_that_names_anothers_enterprise_does_nothing_and_tells_nothing(
    world: World, operation: Operation, sizes: Sizes
) -> None:
    before = state_of(world)
    for side in world.sides:
        for name in [n for n, caller in world.callers.items() if is_stranger(caller, side)]:
            given = operation.request()
            given["json"] |= {"uscc": side.firm.uscc}
            answer = world[name].request(operation.method, operation.path, **given)
            assert answer.status_code in (403, 404, 409, 422), (name, answer.text)
            assert not [word for word in side.secrets if word in answer.text], name
            sizes["BOLA: another's uscc in a body"] += 1
    assert state_of(world) == before
    assert unknown(operation) == {}
