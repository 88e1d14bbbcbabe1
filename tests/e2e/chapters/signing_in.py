"""Who may come in: documents for everybody, tokens for clients, clients made and ended by the province."""

import re

from infra.client import Caller
from tests.e2e.chapters.world import NOBODY, TOKEN, World
from tests.e2e.walk import DOCUMENTS

CLIENTS = "/registry/v1/clients"


def documents(w: World) -> None:
    pages = {path: w.stranger.get(path) for path in DOCUMENTS}
    assert {path: page.status_code for path, page in pages.items()} == dict.fromkeys(DOCUMENTS, 200)
    assert "http_requests_total" in pages["/metrics"].text and "/audits/v1/lists" in pages["/openapi.json"].json()["paths"]
    assert pages["/asyncapi.json"].json()["asyncapi"].startswith("3.")
    assert "html" in pages["/"].headers["content-type"] and "html" in pages["/docs"].headers["content-type"]
    for service in ("registry", "audits", "credit", "incentives", "notifications"):
        assert service in pages["/readyz"].text
    assert w.refused(w.bank, 404, "not_found", "GET", "/registry/v1/nothing")["title"]
    english = w.bank.request("GET", "/registry/v1/nothing", headers={"Accept-Language": "en"}).json()
    assert english["title"] == "Not found"
    kind = w.stranger.get(english["type"])
    assert kind.status_code == 200 and "not_found" in kind.text
    for source in re.findall(r'(?:src|href)="(/docs/[^"]+)"', pages["/docs"].text):
        assert w.stranger.get(source).status_code == 200, source


def sign_in(w: World) -> None:
    keys = w.stranger.get("/registry/v1/.well-known/jwks.json").json()["keys"]
    assert keys[0]["alg"] == "ES256" and "d" not in keys[0]
    form, given = {"grant_type": "client_credentials"}, w.callers.given["bank"]
    identity = (given["client_id"], given["client_secret"])
    granted = w.stranger.post(TOKEN, data=form, auth=identity).json()
    assert granted["token_type"] == "Bearer" and granted["expires_in"] > 0 and "audits:status:read" in granted["scope"].split()
    w.refused(w.stranger, 401, "invalid_client", "POST", TOKEN, data=form, auth=("a", "b"))
    w.refused(w.stranger, 400, "unsupported_grant_type", "POST", TOKEN, data={"grant_type": "password"}, auth=identity)
    wide = form | {"scope": "audits:lists:write"}
    w.refused(w.stranger, 400, "invalid_scope", "POST", TOKEN, data=wide, auth=identity)
    spoiled = {"Authorization": f"Bearer {granted['access_token'][:-4]}AAAA"}
    w.refused(w.stranger, 401, "token_invalid", "GET", "/registry/v1/enterprises", headers=spoiled)


def clients(w: World) -> None:
    county = w.callers.made("county_ecology", "示例县局", jurisdiction=w.firm.division)
    assert county.get("/registry/v1/enterprises")["items"] == []
    bank = {"role": "bank", "name": "x", "uscc": w.firm.uscc}
    w.refused(w.bank, 403, "forbidden", "POST", CLIENTS, json=bank)
    w.refused(w.province, 400, "idempotency_key_required", "POST", CLIENTS, json=bank, headers={"Idempotency-Key": ""})
    w.refused(w.province, 422, "unknown_field", "POST", CLIENTS, json=bank | {"client_secret": "mine"})
    w.forbidden(w.bank, f"GET {CLIENTS}")
    made = w.industry.post(CLIENTS, {"role": "county_industry", "name": "示例县工信局", "jurisdiction": w.firm.division})
    place = f"{CLIENTS}/{made['client_id']}"
    listed = w.province.get(CLIENTS, limit=500)["items"]
    assert made["client_id"] in {c["client_id"] for c in listed} and not any("secret" in str(c) for c in listed)
    w.forbidden(w.city, f"POST {place}/rotate-secret", f"POST {place}/revoke")
    w.missing(w.province, f"POST {CLIENTS}/{NOBODY}/rotate-secret", f"POST {CLIENTS}/{NOBODY}/revoke")
    renewed = w.province.post(f"{place}/rotate-secret")
    form, old = {"grant_type": "client_credentials"}, (made["client_id"], made["client_secret"])
    new = (renewed["client_id"], renewed["client_secret"])
    assert renewed["client_secret"] != made["client_secret"]
    w.refused(w.stranger, 401, "invalid_client", "POST", TOKEN, data=form, auth=old)
    assert Caller(w.callers.base, *new).get("/registry/v1/enterprises")["items"] == []
    assert w.province.post(f"{place}/revoke")["state"] == "revoked"
    w.refused(w.stranger, 401, "invalid_client", "POST", TOKEN, data=form, auth=new)


def nobody_without_a_token(w: World) -> None:
    """Every call of the document but the open ones answers 401 to somebody who has not signed in."""
    document, closed = w.walk.document["paths"], 0
    for operation in sorted(w.walk.operations):
        described = document.get(operation.path, {}).get(operation.method.lower(), {"security": []})
        if described["security"]:
            path = _filled(operation.path)
            w.refused(w.stranger, 401, "token_missing", operation.method, path)
            closed += 1
    assert closed > 100


def _filled(path: str) -> str:
    return "/".join(NOBODY if part.startswith("{") else part for part in path.replace("{kind}", "records").split("/"))


