"""No secret stands in a log or an answer, and no caller writes a line of the log: fed to a running instance at debug level."""

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from infra.client import until
from infra.receiver import Receiver
from tests.instances import Instance, running_instance
from tests.security.hostile.payloads import PAYLOADS


@pytest.fixture
def instance() -> Iterator[Instance]:
    with running_instance(CLEANPROD_LOG_LEVEL="DEBUG") as running:
        yield running


def keys_of(home: Path) -> set[str]:
    """What stands in the files of secrets: whole lines of keys, and passwords as they are."""
    found: set[str] = set()
    for file in (home / "secrets").rglob("*"):
        if file.is_file():
            text = file.read_bytes()
            lines = text.decode("ascii", "ignore").split()
            found |= {line for line in lines if len(line) >= 20 and "-" * 5 not in line}
            found.add(base64.b64encode(text).decode()) if len(text) >= 16 else None
    return found


def test_secrets_and_line_breaks_stay_out_of_the_log(instance: Instance) -> None:
    receiver, callers = Receiver().start(), instance.callers
    owner, province = callers["subscriber"], callers["provincial_ecology"]
    secrets = keys_of(instance.home) | {client["client_secret"] for client in callers.given.values()}
    made = owner.post(
        "/notifications/v1/subscriptions", {"url": receiver.url + "?key=in-the-url-9f8e7d", "types": ["*"]}
    )
    place = f"/notifications/v1/subscriptions/{made['id']}"
    secrets |= {made["secret"], "in-the-url-9f8e7d", owner.token(), province.token()}
    owner.post(f"{place}/verify")
    secrets.add(owner.post(f"{place}/rotate-secret")["secret"])
    client = province.post("/registry/v1/clients", {"role": "subscriber", "name": "x"})
    secrets.add(province.post(f"/registry/v1/clients/{client['client_id']}/rotate-secret")["client_secret"])
    secrets |= {client["client_secret"], *misused(instance, sorted(secrets))}
    until(lambda: owner.post(f"{place}/test")["http_status"] == 204, what="a test event")
    noise(instance, owner.token())
    instance.stop()
    receiver.stop()
    log = (instance.folder / "log").read_text(encoding="utf-8")
    assert len(secrets) > 20
    assert [secret[:6] for secret in secrets if secret in log or secret.removeprefix("whsec_") in log] == []
    lines = [line for line in log.split("\n") if line.startswith(("{", " {", "["))]
    assert len(lines) > 20 and all(isinstance(json.loads(line), dict) for line in lines)
    assert not re.search(r"^\{\"level\": ?\"forged", log, re.M)
    print(f"{len(secrets)} secrets, {len(lines)} lines, {len(PAYLOADS)} payloads")


def misused(instance: Instance, secrets: list[str]) -> set[str]:
    """Every secret where it does not belong; no answer shows one. Returns the forms that were sent besides."""
    sent = set()
    with httpx.Client(base_url=instance.base, trust_env=False) as client:
        for secret in secrets:
            basic = base64.b64encode(f"someone:{secret}".encode()).decode()
            sent.add(basic)
            form = {"grant_type": secret, "client_secret": secret}
            for answer in (
                client.get("/registry/v1/enterprises", headers={"Authorization": f"Bearer {secret}x"}),
                client.post("/registry/v1/oauth/token", data=form, auth=("someone", secret)),
                client.post(
                    "/registry/v1/oauth/token", data={"grant_type": "client_credentials"}, auth=(secret[:40], "x")
                ),
                client.post(
                    "/registry/v1/consents", json={"uscc": secret}, headers={"Authorization": f"Basic {basic}"}
                ),
            ):
                assert 400 <= answer.status_code < 500, answer.text
                assert secret not in answer.text and basic not in answer.text, answer.text
    return sent


def noise(instance: Instance, token: str) -> None:
    """Each payload in what a log line may quote: path, query, headers, a field name, a value."""
    with httpx.Client(base_url=instance.base, trust_env=False) as client:
        for payload in (*PAYLOADS, 'x"}\n{"level": "forged"}', 'x\r\n{"level":"forged"}'):
            plain = payload.encode("utf-8", "replace")
            header = re.sub(rb"[\0-\x20\x7f]+", b" ", plain)[:500].strip() or b"x"
            headers = [
                (b"x-request-id", header),
                (b"user-agent", header),
                (b"authorization", f"Bearer {token}".encode()),
            ]
            for path in (b"/audits/v1/rounds/", b"/registry/v1/enterprises?q="):
                quoted = "".join(f"%{byte:02x}" for byte in plain[:300])
                answer = client.request("GET", path.decode() + quoted, headers=headers)
                assert answer.status_code < 500, answer.text
            body = json.dumps({payload: payload}).encode()
            answer = client.request(
                "POST", "/audits/v1/score", content=body, headers=[*headers, (b"content-type", b"application/json")]
            )
            assert answer.status_code < 500, answer.text
