"""Signing in: credentials to tokens, clients made, changed and ended."""

import base64
from typing import Any

import httpx
import pytest

from infra.system import System
from services.registry.actions.clients import NewClient, provide_client
from services.registry.actions.secrets import pepper_of
from services.registry.models import Client
from tests.conftest import Api, As, shown

TOKEN, CLIENTS = "/registry/v1/oauth/token", "/registry/v1/clients"
FIRM = "91430200MA4QA0029A"


def sign_in(api: Api, client_id: str, secret: str, **form: str) -> httpx.Response:
    basic = base64.b64encode(f"{client_id}:{secret}".encode()).decode()
    given = {"grant_type": "client_credentials"} | form
    return api.post(TOKEN, data=given, headers={"Authorization": f"Basic {basic}"})


@pytest.fixture
def province(as_role: As) -> Api:
    return as_role("provincial_ecology")


def made(province: Api, **changes: str) -> dict[str, str]:
    given = {"role": "city_ecology", "name": "株洲市生态环境局", "jurisdiction": "4302"} | changes
    answer = province.post(CLIENTS, {name: value for name, value in given.items() if value})
    assert answer.status_code == 201, shown(answer)
    found: dict[str, str] = answer.json()
    return found


def test_a_client_signs_in_and_calls_with_its_token(province: Api, nobody: Api) -> None:
    client = made(province)
    answer = sign_in(nobody, client["client_id"], client["client_secret"])
    assert answer.status_code == 200, shown(answer)
    token = answer.json()
    assert (token["token_type"], token["expires_in"]) == ("Bearer", 600)
    assert answer.headers["cache-control"] == "no-store"
    assert "registry:enterprises:write" in token["scope"].split()
    bearer = {"Authorization": f"Bearer {token['access_token']}"}
    assert nobody.get("/registry/v1/enterprises", headers=bearer).status_code == 200
    assert nobody.get(CLIENTS, headers=bearer).status_code == 403


def test_the_id_and_the_secret_may_stand_in_the_form(province: Api, nobody: Api) -> None:
    client = made(province)
    assert nobody.post(TOKEN, data={"grant_type": "client_credentials"} | client).status_code == 200


def test_a_scope_narrows_the_token_and_another_is_refused(province: Api, nobody: Api) -> None:
    client = made(province)
    narrow = sign_in(nobody, client["client_id"], client["client_secret"], scope="audits:status:read")
    assert narrow.json()["scope"] == "audits:status:read"
    bearer = {"Authorization": f"Bearer {narrow.json()['access_token']}"}
    assert nobody.get("/registry/v1/enterprises", headers=bearer).status_code == 403
    wide = sign_in(nobody, client["client_id"], client["client_secret"], scope="registry:clients:write")
    assert (wide.status_code, wide.json()["code"], wide.json()["error"]) == (400, "invalid_scope", "invalid_scope")


def test_a_wrong_an_unknown_and_a_revoked_client_get_the_same_answer(province: Api, nobody: Api) -> None:
    client = made(province)
    ended = made(province)
    assert province.post(f"{CLIENTS}/{ended['client_id']}/revoke").json()["state"] == "revoked"
    answers = [
        sign_in(nobody, client["client_id"], "wrong"),
        sign_in(nobody, "nobody", client["client_secret"]),
        sign_in(nobody, "a\x00b", client["client_secret"]),
        sign_in(nobody, ended["client_id"], ended["client_secret"]),
        nobody.post(TOKEN, data={"grant_type": "client_credentials"}),
        nobody.post(TOKEN, data={"grant_type": "client_credentials"}, headers={"Authorization": "Basic %%%"}),
    ]
    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (401, "invalid_client"), shown(answer)
        assert answer.headers["www-authenticate"].startswith("Basic")
        assert answer.headers["content-type"] == "application/problem+json"


def test_another_grant_is_a_400(province: Api, nobody: Api) -> None:
    client = made(province)
    for grant, code in (("password", "unsupported_grant_type"), ("", "invalid_request")):
        answer = sign_in(nobody, client["client_id"], client["client_secret"], grant_type=grant)
        assert (answer.status_code, answer.json()["code"], answer.json()["error"]) == (400, code, code)


def test_a_new_secret_ends_the_old_one(province: Api, nobody: Api) -> None:
    client = made(province)
    fresh = province.post(f"{CLIENTS}/{client['client_id']}/rotate-secret").json()
    assert fresh["client_secret"] != client["client_secret"]
    assert sign_in(nobody, client["client_id"], client["client_secret"]).status_code == 401
    assert sign_in(nobody, client["client_id"], fresh["client_secret"]).status_code == 200
    province.post(f"{CLIENTS}/{client['client_id']}/revoke")
    again = province.post(f"{CLIENTS}/{client['client_id']}/rotate-secret")
    assert (again.status_code, again.json()["code"], again.json()["state"]) == (409, "move_not_allowed", "revoked")


def test_the_database_holds_no_secret(province: Api, system: System) -> None:
    client = made(province)
    with system.contexts["registry"].db.read() as tx:
        row = tx.get_one(Client, client["client_id"])
    assert client["client_secret"].encode() not in row.secret_digest
    assert len(row.secret_digest) == 32


MISFITS: list[tuple[dict[str, str], str]] = [
    ({"role": "city_ecology", "jurisdiction": "43"}, "jurisdiction_level"),
    ({"role": "city_ecology", "jurisdiction": "4401"}, "jurisdiction_unknown"),
    ({"role": "city_ecology"}, "required"),
    ({"role": "county_industry", "jurisdiction": "4302"}, "jurisdiction_level"),
    ({"role": "provincial_industry", "jurisdiction": "4302"}, "jurisdiction_level"),
    ({"role": "auditor"}, "required"),
    ({"role": "bank"}, "required"),
    ({"role": "bank", "uscc": "91430200MA4QA0029B"}, "uscc_check_digit"),
    ({"role": "enterprise", "uscc": "123"}, "uscc_malformed"),
    ({"role": "city_ecology", "jurisdiction": "4302", "uscc": FIRM}, "not_for_this_role"),
    ({"role": "minister"}, "role_unknown"),
]
FITTING = [
    {"role": "county_ecology", "jurisdiction": "430202"},
    {"role": "county_industry", "jurisdiction": "430281"},
    {"role": "bank", "uscc": FIRM},
    {"role": "subscriber"},
    {"role": "auditor", "jurisdiction": "43"},
    {"role": "park"},
]


def test_a_client_must_fit_its_role(province: Api) -> None:
    answers = [province.post(CLIENTS, {"name": "示例"} | given) for given, _ in MISFITS]
    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(422, code) for _, code in MISFITS]


def test_every_role_can_be_made_and_signs_in(province: Api, nobody: Api) -> None:
    made = [province.post(CLIENTS, {"name": "示例"} | given) for given in FITTING]
    assert [client.status_code for client in made] == [201] * len(FITTING)
    assert {sign_in(nobody, **_pair(client.json())).status_code for client in made} == {200}


def _pair(client: dict[str, Any]) -> dict[str, str]:
    return {"client_id": client["client_id"], "secret": client["client_secret"]}


def test_null_is_as_good_as_leaving_it_out(province: Api) -> None:
    for given in (
        {"role": "bank", "uscc": FIRM, "jurisdiction": None},
        {"role": "city_ecology", "jurisdiction": "4302", "uscc": None},
    ):
        assert province.post(CLIENTS, given | {"name": "示例"}).status_code == 201


def test_only_the_province_makes_clients_and_with_a_key(as_role: As, province: Api) -> None:
    given = {"role": "subscriber", "name": "示例"}
    assert as_role("city_ecology", jurisdiction="4302").post(CLIENTS, given).status_code == 403
    assert as_role("bank", uscc=FIRM).post(f"{CLIENTS}/x/revoke").status_code == 403
    keyless = province.post(CLIENTS, given, headers={"Idempotency-Key": ""})
    assert (keyless.status_code, keyless.json()["code"]) == (400, "idempotency_key_required")
    assert province.post(f"{CLIENTS}/x/rotate-secret").status_code == 404


def test_the_same_key_gives_the_same_secret_once(province: Api) -> None:
    given, key = {"role": "subscriber", "name": "示例"}, {"Idempotency-Key": "once"}
    first, second = (province.post(CLIENTS, given, headers=key) for _ in range(2))
    assert first.json() == second.json()
    assert second.headers["idempotency-replayed"] == "true"
    assert len(province.get(CLIENTS).json()["items"]) == 1


def test_the_keys_are_open_and_have_no_private_part(nobody: Api) -> None:
    keys = nobody.get("/registry/v1/.well-known/jwks.json").json()["keys"]
    assert [(key["kty"], key["crv"], key["alg"]) for key in keys] == [("EC", "P-256", "ES256")]
    assert all("d" not in key for key in keys)


def test_a_provided_client_signs_in(system: System, nobody: Api) -> None:
    context = system.contexts["registry"]
    with context.db.begin() as tx:
        client_id, secret = provide_client(tx, pepper_of(context.settings), NewClient("bank", "示例银行", uscc=FIRM))
    assert sign_in(nobody, client_id, secret).status_code == 200
