"""Every operation with an id in its path, every role, every other's thing: the answer for what does not exist."""

import hashlib
import json
from collections.abc import Callable
from functools import cache
from typing import Any
from uuid import uuid4

import httpx
import pytest
import sqlalchemy as sa

from shared.codes import make_uscc
from tests.security.conftest import Sizes
from tests.security.operations import Operation, document
from tests.security.sight import EXISTS_FOR_ALL, MAY_SEE, PUBLIC, ROUTES, addressed, ids_of, may_see, relations, thing
from tests.security.world import Side, World

NEW = {
    "uscc": make_uscc(987_654, division="430200"),
    "period": "2031-05",
    "code": "RESULT_DISCLOSURE",
    "client_id": "bank-0",
}
VARIES = {"x-request-id", "content-length"}
Seen = tuple[int, dict[str, str], str]


def unknown(operation: Operation) -> dict[str, str]:
    """Ids of the right shape of which there is nothing."""
    return {name: NEW.get(name, str(uuid4())) for name in ids_of(operation)}


def ask(world: World, caller: str, operation: Operation, ids: dict[str, str], **more: Any) -> httpx.Response:
    rest = {"kind": "enterprises", "rule_set_id": "x", "version": "1"}
    return world[caller].request(operation.method, operation.at(ids | rest), **operation.request(), **more)


def seen(answer: httpx.Response, ids: dict[str, str]) -> Seen:
    """What a caller can tell of an answer: all but the request's own id and the ids that it named itself."""
    text = answer.text
    if answer.headers.get("content-type", "").endswith("json"):
        told = answer.json()
        if isinstance(told, dict):
            told = {name: value for name, value in told.items() if name not in ("request_id", "instance")}
        text = json.dumps(told, ensure_ascii=False, sort_keys=True)
    for name, value in ids.items():
        text = text.replace(value, f"<{name}>")
    return answer.status_code, {k: v for k, v in answer.headers.items() if k not in VARIES}, text


def state_of(world: World) -> str:
    """A digest of every row of all five services, but of those that reading itself writes."""
    found = hashlib.sha256()
    for context in world.system.contexts.values():
        with context.db.read() as tx:
            tables = tx.execute(sa.text("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"))
            rows = [
                f"SELECT '{name}', md5(coalesce(string_agg(t::text, ',' ORDER BY t::text), '')) FROM \"{name}\" t"
                for (name,) in tables
                if name not in ("idempotency", "outbox", "tier_file")
            ]
            for row in tx.execute(sa.text(" UNION ALL ".join(rows))):
                found.update(repr(tuple(row)).encode())
    return found.hexdigest()


def stranger(
    world: World, name: str, operation: Operation, side: Side, nothing: Callable[[], Seen]
) -> tuple[Seen, Seen]:
    """What a caller is told of a side's thing that is not its to see, and what it is to be told."""
    others = thing(side, operation)
    found = seen(ask(world, name, operation, others), others)
    if str(operation) in PUBLIC and name != "nobody":
        public = seen(ask(world, "public", operation, others), others)
        text = found[2].replace('"consent_required": true, ', "") if world.callers[name].role == "bank" else found[2]
        return (found[0], found[1] | {"etag": public[1]["etag"]}, text), public
    if ids_of(operation) == ["uscc"] and name != "nobody" and world.callers[name].role in EXISTS_FOR_ALL:
        assert found[0] == 404 or (found[0] == 403 and json.loads(found[2])["code"] == "forbidden")
        return found, found
    return found, nothing()


@pytest.mark.parametrize("operation", addressed(), ids=str)
def test_anothers_thing_looks_like_nothing(world: World, operation: Operation, sizes: Sizes) -> None:
    before, wrong = state_of(world) if operation.method != "GET" else "", []
    for name in [*world.callers, "nobody"]:
        sizes["BOLA: (operation, caller) pairs"] += 1
        missing = unknown(operation)
        nothing = cache(lambda n=name, ids=missing: seen(ask(world, n, operation, ids), ids))
        for side in world.sides:
            if may_see(world.callers.get(name), side, operation):
                sizes["BOLA: (operation, caller, thing) that the contract lets see"] += 1
                continue
            found, wanted = stranger(world, name, operation, side, nothing)
            sizes["BOLA: (operation, caller, other's thing) asked"] += 1
            if found != wanted or found[0] >= 500:
                wrong.append((name, side.word, found, wanted))
    assert not wrong, wrong[0]
    assert operation.method == "GET" or state_of(world) == before, "a refused call has changed something"
    sizes["BOLA: operations with an id in the path"] += 1


@pytest.mark.parametrize("operation", [o for o in addressed() if len(ids_of(o)) > 1], ids=str)
def test_a_thing_of_another_under_ones_own_looks_like_nothing(world: World, operation: Operation, sizes: Sizes) -> None:
    """As the path has two names, the first may be one's own and the second another's."""
    first, *rest = ids_of(operation)
    for side in world.sides:
        own, others = thing(side, operation), thing(world.other(side), operation)
        for name in [n for n, caller in world.callers.items() if may_see(caller, side, operation)]:
            for mixed in rest:
                if others[mixed] == own[mixed] or others[first] == own[first]:
                    continue
                given, missing = own | {mixed: others[mixed]}, own | {mixed: unknown(operation)[mixed]}
                found, nothing = (seen(ask(world, name, operation, ids), ids) for ids in (given, missing))
                assert found == nothing, (name, side.word)
                sizes["BOLA: another's thing under one's own"] += 1


def is_real(operation: Operation) -> bool:
    """Whether asking shows that a thing is there: not where it is made, nor where a role is looked at first."""
    return not operation.path.endswith("/publish") and "{client_id}" not in operation.path


@pytest.mark.parametrize("operation", [o for o in addressed() if is_real(o)], ids=str)
def test_the_things_are_real(world: World, operation: Operation) -> None:
    """Whom the contract lets see them is answered otherwise than for what does not exist; nothing is done by it."""
    probe = {} if operation.method == "GET" else {"params": {"no_such_name": "1"}}
    for side in world.sides:
        there, missing = thing(side, operation), unknown(operation)
        allowed = [name for name, caller in world.callers.items() if may_see(caller, side, operation)]
        answers = (
            [seen(ask(world, name, operation, ids, **probe), ids) for ids in (there, missing)] for name in allowed
        )
        assert any(found != nothing for found, nothing in answers), f"nobody sees {there}"


def test_the_clients_are_real(world: World) -> None:
    made = {item["client_id"] for item in world["provincial_industry"].get("/registry/v1/clients").json()["items"]}
    assert {side.ids["client_id"] for side in world.sides} <= made


@pytest.mark.parametrize("path", [o.path for o in addressed() if "{decision_id}" in o.path])
def test_prices_are_for_the_utility_and_the_rest_is_not(world: World, path: str, sizes: Sizes) -> None:
    """A decision of a price programme is another kind of thing: no bank sees it, every utility does."""
    operation = next(o for o in addressed() if o.path == path)
    circle, _ = MAY_SEE["price"]
    for side in world.sides:
        for name, caller in world.callers.items():
            ids, missing = {"decision_id": side.ids["price"]}, {"decision_id": str(uuid4())}
            found, nothing = (seen(ask(world, name, operation, given), given) for given in (ids, missing))
            assert (found != nothing) == bool(relations(caller, side, "incentives") & set(circle)), (name, side.word)
            sizes["BOLA: (operation, caller, other's thing) asked"] += 1


def test_every_entry_of_the_table_is_about_something() -> None:
    named = {str(operation) for operation in addressed()}
    assert {*PUBLIC, *ROUTES} <= named
    assert {n for o in addressed() for n in ids_of(o)} | {"price"} == set(MAY_SEE)
    assert len(document()["paths"]) > 80
