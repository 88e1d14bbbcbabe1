"""Every operation, every scope alone: only the declared one opens it; and nobody gets in without a token."""

import httpx
import pytest

from infra import sandbox
from services.registry.roles import scopes_of
from shared.auth import ROLES, Caller
from tests.conftest import TODAY, Api
from tests.security.conftest import Sizes
from tests.security.operations import Operation, operations
from tests.security.sight import NOBODYS, thing
from tests.security.world import PERIOD, World

SCOPES = sorted({scope for role in ROLES for scope in scopes_of(role)})
DONE = {"no_such_name": "1"}  # refused only after the scope was looked at, and before anything is done
SCOPED = [operation for operation in operations() if operation.scopes]
TEMPLATES = {"audits": "list", "credit": "records", "registry": "enterprises"}
# Signing in and public keys come before any token.
OPEN = {
    "POST /registry/v1/oauth/token",
    "GET /registry/v1/.well-known/jwks.json",
    "GET /notifications/v1/.well-known/webhook-keys.json",
}


def probe(api: Api, operation: Operation, ids: dict[str, str]) -> httpx.Response:
    """A request that would be good but for a query name that nobody knows."""
    known = {
        "kind": TEMPLATES.get(operation.service, ""),
        "rule_set_id": "HN_TARIFF_AL",
        "version": "1",
        "period": PERIOD,
    }
    return api.request(operation.method, operation.at(known | ids), **operation.request(), params=DONE)


def ids_for(world: World, caller: Caller, operation: Operation) -> dict[str, str]:
    """Things of the caller's own side, of the first where it has none."""
    side = next((s for s in world.sides if s.word in caller.name), world.sides[0])
    ids = thing(side, operation)
    # A voluntary round is withdrawn by its enterprise and by authorities, a mandatory one by the province alone.
    return ids | ({"round_id": side.ids["open_round"]} if operation.path.endswith("/cancel") else {})


def got_through(answer: httpx.Response) -> bool:
    """Whether role and scope were good: the unknown name was told."""
    told = answer.json() if answer.status_code == 422 else {}
    return any(error["code"] == "unknown_field" for error in told.get("errors", []))


def holder(world: World, operation: Operation, scope: str) -> Caller:
    """A caller whom an operation lets through with this scope alone; the likely ones are asked first."""
    for caller in sorted(world.callers.values(), key=lambda known: scope not in known.scopes):
        api = world.with_scopes(caller, frozenset({scope}))
        if got_through(probe(api, operation, ids_for(world, caller, operation))):
            return caller
    raise AssertionError(f"nobody gets in with {scope}")


@pytest.mark.parametrize("operation", SCOPED, ids=str)
def test_only_its_own_scope_opens_an_operation(world: World, operation: Operation, sizes: Sizes) -> None:
    for declared in operation.scopes:
        caller = holder(world, operation, declared)
        for scope in [*(other for other in SCOPES if other not in operation.scopes), ""]:
            api = world.with_scopes(caller, frozenset({scope} - {""}))
            answer = probe(api, operation, ids_for(world, caller, operation))
            assert answer.status_code == 403, (caller.name, scope, answer.text)
            assert answer.json()["code"] == "forbidden"
            sizes["scopes: (operation, scope) refused"] += 1
        sizes["scopes: (operation, declared scope) let through"] += 1


@pytest.mark.parametrize("operation", SCOPED, ids=str)
def test_a_role_gets_in_only_by_the_scopes_that_it_has(world: World, operation: Operation, sizes: Sizes) -> None:
    """As roles.yaml gives them out; what a caller may not do is refused, and nothing fails."""
    second = world.sides[1].word
    for name, caller in [(n, c) for n, c in world.callers.items() if second not in n]:
        answer = probe(world[name], operation, ids_for(world, caller, operation))
        assert answer.status_code in (403, 404, 422), (name, answer.text)
        if not set(operation.scopes) & caller.scopes:
            assert not got_through(answer), name
        sizes["scopes: (operation, role's caller)"] += 1


@pytest.mark.parametrize("operation", operations(), ids=str)
def test_without_a_token_nothing_is_answered(world: World, operation: Operation, sizes: Sizes) -> None:
    ids = dict.fromkeys([*operation.names("path"), *NOBODYS], "x")
    answer = world["nobody"].request(operation.method, operation.at(ids), **operation.request())
    if str(operation) in OPEN:
        assert operation.open
        assert answer.status_code in (200, 401)
        return
    assert not operation.open
    assert (answer.status_code, answer.json()["code"]) == (401, "token_missing")
    assert answer.headers["www-authenticate"] == "Bearer"
    sizes["scopes: operations refused without a token"] += 1


def test_every_operation_declares_one_scope_or_two_ways_in() -> None:
    assert {str(operation) for operation in operations() if not operation.scopes} == OPEN
    several = {str(operation) for operation in operations() if len(operation.scopes) > 1}
    assert several == {"POST /audits/v1/rounds/{round_id}/cancel"}
    assert {scope for operation in operations() for scope in operation.scopes} <= set(SCOPES)


def test_the_sandbox_calendar_asks_for_its_scope_too(world: World) -> None:
    sandbox.mount(world.system)
    province, day = world.callers["provincial_ecology"], {"today": TODAY.isoformat()}
    for scope in SCOPES:
        answer = world.with_scopes(province, frozenset({scope})).post("/sandbox/clock", day)
        assert answer.status_code == (200 if scope == "platform:clock:write" else 403), scope
    industry = world.with_scopes(world.callers["provincial_industry"], frozenset(SCOPES))
    assert industry.post("/sandbox/clock", day).status_code == 403
