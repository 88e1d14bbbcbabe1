"""A furnished province over HTTP: something real behind every route, and a caller of every role."""

import time
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import httpx
from sqlalchemy.exc import IntegrityError

from infra import fiction
from infra.system import System
from services.audits.models.rounds import MOVES, RoundState
from services.registry import roles
from shared.auth import Caller, TokenSigner
from shared.codes import make_uscc
from tests.conftest import ISSUER, TODAY, Api, Cluster, shown
from tests.lists import firm, imported, list_file, made_list, publish
from tests.rounds import Story, put_in_state
from tests.security.hostile.inprocess import InProcess

SMELTER = firm(7)
FIRMS = [firm(number) for number in range(1, 6)]
BANK, UTILITY, INSTITUTION = (make_uscc(n, division="430100") for n in (901, 902, 903))
PLACES = {
    "provincial_ecology": {"jurisdiction": "43"},
    "provincial_industry": {"jurisdiction": "43"},
    "city_ecology": {"jurisdiction": "4302"},
    "city_industry": {"jurisdiction": "4302"},
    "county_ecology": {"jurisdiction": "430204"},
    "county_industry": {"jurisdiction": "430204"},
    "auditor": {"jurisdiction": "43"},
    "enterprise": {"uscc": FIRMS[0].uscc},
    "institution": {"uscc": INSTITUTION},
    "bank": {"uscc": BANK},
    "utility": {"uscc": UTILITY},
    "subscriber": {},
    "expert": {},
    "park": {},
    "public": {},
}
URL = "https://receiver.example.org/events"
scopes_of = cache(roles.scopes_of)


@dataclass
class Stock:
    """A system on the embedded bus with something of everything; `ids` by the name a path gives it."""

    system: System
    cluster: Cluster
    line: InProcess
    ids: dict[str, list[str]] = field(default_factory=dict)

    def token(self, role: str, **place: str) -> str:
        place = place or PLACES[role]
        signer = TokenSigner.from_file(self.cluster.home.secrets / "token_key.pem", ISSUER)
        jurisdiction, uscc = place.get("jurisdiction", ""), place.get("uscc", "")
        caller = Caller(f"s-{role}-{jurisdiction}{uscc}", role, role, jurisdiction, uscc, scopes_of(role))
        return signer.issue(caller, time.time())

    def api(self, role: str, **place: str) -> Api:
        client = httpx.Client(transport=self.line, base_url="http://127.0.0.1:8000", trust_env=False)
        return Api(client, self.token(role, **place))

    def keep(self, name: str, *ids: str) -> None:
        self.ids.setdefault(name, []).extend(ids)

    def ids_for(self, name: str, path: str, role: str) -> list[str]:
        """What a path's name may hold: of the path's service, or the role's own, where there is such a kind."""
        service = path.split("/")[1]
        special = self.ids.get(f"{service} {name}", []) + self.ids.get(f"{role} {name}", [])
        return special or self.ids.get(name, [])

    def prepare(self, path: str, round_id: str) -> None:
        """Put a round where the move at the end of a path is possible; measures, while the audit goes on."""
        move = path.rpartition("/")[2]
        start = [*MOVES.get(move, {}), RoundState.AUDITING][0]
        if start in (RoundState.ACCEPT_FAILED, RoundState.RECTIFYING) and round_id != self.ids["round_id"][0]:
            return  # only the first one has an acceptance to go on from
        fields = {"institution": INSTITUTION, "resumes_to": RoundState.STARTED, "suspended_on": TODAY}
        with suppress(IntegrityError):  # the firm has another open round by now: this one stays as it is
            put_in_state(self.system, round_id, start, **fields)

    def made(self, role: str, path: str, body: Any = None, **place: str) -> dict[str, Any]:
        answer = self.api(role, **place).post(path, body)
        assert answer.is_success, f"{path} {shown(answer)}"
        return dict(answer.json())


def furnish(stock: Stock) -> Stock:
    """Make the province."""
    _people(stock)
    entries = _published(stock)
    _rounds(stock, entries)
    _credit_and_facts(stock)
    _outward(stock)
    stock.system.run_until_quiet()
    _collect(stock)
    return stock


def _people(stock: Stock) -> None:
    for one in (*FIRMS, SMELTER):
        industry = "3216" if one is SMELTER else "3360"
        body = {"uscc": one.uscc, "name": one.name, "division": one.division, "industry": industry}
        stock.made("provincial_ecology", "/registry/v1/enterprises", body)
        stock.keep("uscc", one.uscc)
    body = {"uscc": INSTITUTION, "name": "示例机构", "division": "430104"}
    stock.made("provincial_ecology", "/registry/v1/institutions", body)
    for name in ("甲", "乙", "丙"):
        expert = {"name": name, "employer_uscc": BANK, "specialities": ["有色"], "advised": []}
        stock.keep("expert", stock.made("provincial_ecology", "/registry/v1/experts", expert)["id"])
    for number in range(3):
        client = {"role": "subscriber", "name": f"订阅方{number}"}
        stock.keep("client_id", stock.made("provincial_ecology", "/registry/v1/clients", client)["client_id"])
    stock.system.run_until_quiet()


def _published(stock: Stock) -> list[dict[str, Any]]:
    province = stock.api("provincial_ecology")
    for _ in range(2):
        list_id = made_list(province)
        job = imported(stock.system, province, list_id, list_file([one.row() for one in FIRMS]))
        stock.keep("list_id", list_id)
        _keep_job(stock, "audits", job)
    answer = publish(province, stock.ids["list_id"][0], "2026-03-10")
    assert answer.status_code == 200, shown(answer)
    entries: list[dict[str, Any]] = province.get(f"/audits/v1/lists/{stock.ids['list_id'][0]}/entries").json()["items"]
    stock.keep("entry_id", *(entry["id"] for entry in entries))
    stock.keep("round_id", *(entry["round"] for entry in entries))
    return entries


def _keep_job(stock: Stock, service: str, job: dict[str, Any]) -> None:
    stock.keep(f"{service} import_id", job["result"]["import"])
    stock.keep(f"{service} job_id", job["id"])


def _imported(stock: Stock, service: str, kind: str, content: bytes) -> None:
    province = stock.api("provincial_ecology")
    answer = province.request(
        "POST", f"/{service}/v1/imports", data={"kind": kind}, files={"file": ("a.xlsx", content)}
    )
    assert answer.status_code == 202, shown(answer)
    stock.system.run_until_quiet()
    _keep_job(stock, service, province.get(answer.headers["Location"]).json())


def _rounds(stock: Stock, entries: list[dict[str, Any]]) -> None:
    """One round at each of five places: accepted, evaluated, audited, started, listed."""
    officer = stock.api("city_ecology")
    for depth, entry in enumerate(entries[:4]):
        enterprise = stock.api("enterprise", uscc=entry["uscc"])
        story = Story(stock.system, enterprise, officer, entry["round"], experts=stock.ids["expert"])
        story.start_by_itself()
        if depth < 3:
            stock.keep("measure_id", dear := story.audit())
        if depth < 2:
            story.report_and_apply()
            story.evaluate("95", "95", "95")
        if depth < 1:
            story.implement_and_apply(dear)
            story.accept(level="II")
        stock.keep("file_id", *story.files.values())
    for role in ("enterprise", "institution"):
        stock.keep(f"{role} round_id", entries[0]["round"])
        stock.keep(f"{role} measure_id", stock.ids["measure_id"][0])
        stock.keep(f"{role} uscc", FIRMS[0].uscc)
    stock.system.run_until_quiet()


def _credit_and_facts(stock: Stock) -> None:
    regime = stock.api("public").get("/credit/v1/regimes").json()
    grade = {"uscc": FIRMS[0].uscc, "evaluation_year": 2025, "grade": "蓝牌", "level": "province"}
    grade |= {"published_on": "2026-06-05", "document_no": "湘环示例〔2026〕2号"}
    stock.made("provincial_ecology", "/credit/v1/records", grade)
    stock.keep("regime", *(str(item) for item in regime))
    facts = {"al_kwh_per_t": "13481", "renewable_share_pct": "8", "grid_account": "0730-000001"}
    for code, value in facts.items():
        fact = {"code": code, "value": value, "valid_from": "2025-01-01", "valid_to": "2025-12-31", "source": "核定"}
        if code == "grid_account":
            del fact["valid_to"]
        stock.made("city_ecology", f"/registry/v1/enterprises/{SMELTER.uscc}/facts", fact)
    consent = {"uscc": FIRMS[0].uscc, "bank": BANK, "purpose": "pre_loan", "valid_to": "2027-06-01"}
    made = stock.made("enterprise", "/registry/v1/consents", consent | {"scope": ["audit", "credit", "decisions"]})
    stock.keep("consent_id", made["id"])
    stock.system.run_until_quiet()
    notice = {"document_no": "湘发改价〔2026〕7号", "settlement_mode": "PROSPECTIVE", "effective_from": "2026-12-01"}
    stock.made("provincial_industry", "/incentives/v1/tier-lists/2026-11/publish", notice)
    stock.keep("period", "2026-11")


def _outward(stock: Stock) -> None:
    for role in PLACES:
        made = stock.made(role, "/notifications/v1/subscriptions", {"url": URL, "types": ["*"]})
        stock.keep(f"{role} subscription_id", made["id"])
    firms = fiction.firms(3)
    _imported(stock, "registry", "enterprises", fiction.register_file(firms))
    _imported(stock, "credit", "records", fiction.grades_file(firms, 2024))
    for service, kind in (("registry", "enterprises"), ("audits", "list"), ("credit", "records")):
        stock.keep(f"{service} kind", kind)


def _collect(stock: Stock) -> None:
    """What others made on the way: decisions, deliveries, rule sets."""
    officer = stock.api("city_ecology")
    decisions = officer.get(f"/incentives/v1/enterprises/{FIRMS[0].uscc}/decisions").json()["items"]
    stock.keep("decision_id", *(item["id"] for item in decisions))
    stock.keep("rule_set_id", *sorted({item["rule_set"]["id"] for item in decisions}))
    stock.keep("version", "1")
    stock.keep("code", "ANNUAL_DISCLOSURE", "RESULT_PUBLICATION")
    for role in PLACES:
        place = f"/notifications/v1/subscriptions/{stock.ids[f'{role} subscription_id'][0]}/deliveries"
        stock.keep(f"{role} delivery_id", *(d["id"] for d in stock.api(role).get(place).json()["items"]))
