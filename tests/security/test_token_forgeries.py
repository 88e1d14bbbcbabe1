"""The forged tokens of the unit test over HTTP: a route of each service answers each with a 401 problem, never a 500."""

import time

import httpx
import pytest

from infra.parts import SERVICES
from shared.app import Edge
from tests.security.conftest import Sizes
from tests.security.operations import operations
from tests.security.world import Local, World
from tests.unit.shared.test_auth_forgery import FORGED, SIGNER, VERIFIER, WHO

ROUTES = {
    service.name: next(o.path for o in operations() if o.service == service.name and o.method == "GET" and "{" not in o.path and not o.open)
    for service in SERVICES
}  # fmt: skip
STATUS = "/audits/v1/enterprises/91430200MA4QA0029A/status"  # answered before all routing
PATHS = [*ROUTES.values(), STATUS, "/nowhere/v1/things", "/registry/v1/enterprises/../enterprises"]


@pytest.fixture
def theirs(world: World) -> Local:
    """The province, with the keys and the issuer of the unit test."""
    return Local(Edge(world.system.edge.api, VERIFIER))


def refused(answer: httpx.Response, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (401, code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("path", PATHS)
def test_no_forged_token_opens_a_route(theirs: Local, path: str, sizes: Sizes) -> None:
    try:
        for name, token in FORGED.items():
            answer = theirs.request("GET", path, headers={b"Authorization": b"Bearer " + token.encode()})  # type: ignore[dict-item]
            refused(answer, "token_missing" if name == "nothing" else "token_invalid")
            assert len(token) < 20 or token not in answer.text, "what came in does not go out"
            sizes["tokens: (forgery, route)"] += 1
        genuine = theirs.request("GET", path, headers={"Authorization": f"Bearer {SIGNER.issue(WHO, time.time())}"})
        assert genuine.status_code in (403, 404), "the genuine one is known, and has none of our scopes"
    finally:
        theirs.close()


@pytest.mark.parametrize("path", PATHS)
def test_a_good_token_in_another_place_is_no_token(world: World, path: str, sizes: Sizes) -> None:
    token = world["provincial_ecology"]._token
    assert token
    places: list[dict[str, str]] = [
        {"Authorization": f"Basic {token}"},
        {"Authorization": token},
        {"Authorization": f"Token {token}"},
        {"Authorization": f"DPoP {token}"},
        {"Authorization": f"Bearer{token}"},
        {"Authorization": "Bearer"},
        {"Cookie": f"access_token={token}; Authorization=Bearer {token}"},
        {"X-Access-Token": token, "X-Authorization": f"Bearer {token}", "Proxy-Authorization": f"Bearer {token}"},
        {"X-Forwarded-User": "provincial_ecology", "X-Internal-Role": "provincial_ecology"},
    ]
    for headers in places:
        answer = world.client.request("GET", path, headers=headers)
        refused(answer, "token_missing")
        sizes["tokens: (misplaced, route)"] += 1
    refused(world.client.request("GET", path, params={"access_token": token}), "token_missing")
    refused(world.client.request("GET", path, headers={"Authorization": f"Bearer {token}, Bearer x"}), "token_invalid")
