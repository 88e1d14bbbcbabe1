"""One populated province for the security matrices: two sides with one of everything, and every role on both."""

import asyncio
import threading
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx

from infra.parts import SERVICES
from infra.system import System, with_environment
from services.notifications.dispatcher import send_due
from services.registry.roles import scopes_of
from shared.app import Edge
from shared.auth import Caller, TokenSigner
from shared.codes import make_uscc
from shared.settings import Settings
from tests.conftest import ISSUER, TODAY, Api, Cluster, shown
from tests.lists import Firm, imported, list_file, made_list, publish
from tests.rounds import PUBLISHED, Story

T = TypeVar("T")
PERIOD = "2026-05"


@dataclass
class Side:
    """One half of the province: who is in it, the ids of its things, and words that only its parties may read."""

    word: str
    city: str
    firm: Firm
    institution: str
    bank: str
    ids: dict[str, str] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)
    secrets: set[str] = field(default_factory=set)

    def secret(self, word: str) -> str:
        """A word of this side that nobody else may come to read."""
        made = f"{self.word}方私有{word}"
        self.secrets.add(made)
        return made


def sides() -> tuple[Side, Side]:
    first = Firm(make_uscc(71, division="430200"), "株洲示例71有限公司")
    second = Firm(make_uscc(72, division="430600"), "岳阳示例72有限公司", "岳阳市", "云溪区", "430603")
    return (
        Side("甲", "4302", first, make_uscc(81, division="430100"), make_uscc(91, division="430100")),
        Side("乙", "4306", second, make_uscc(82, division="430100"), make_uscc(92, division="430100")),
    )


def callers_of(both: tuple[Side, Side]) -> dict[str, Caller]:
    """Every role; two callers of each that has a place or an organisation of its own."""
    found: dict[str, Caller] = {}

    def add(name: str, role: str, jurisdiction: str = "", uscc: str = "") -> None:
        found[name] = Caller(f"w-{name}", role, name, jurisdiction, uscc, scopes_of(role))

    for role in ("provincial_ecology", "provincial_industry", "auditor"):
        add(role, role, "43")
    for side in both:
        place = {"city": side.city, "county": side.firm.division}
        for role in ("city_ecology", "city_industry", "county_ecology", "county_industry"):
            add(f"{role} {side.word}", role, place[role.split("_")[0]])
        add(f"auditor {side.word}", "auditor", side.city)
        add(f"enterprise {side.word}", "enterprise", "", side.firm.uscc)
        add(f"institution {side.word}", "institution", "", side.institution)
        add(f"bank {side.word}", "bank", "", side.bank)
        for number, role in enumerate(("utility", "expert", "park", "subscriber")):
            add(f"{role} {side.word}", role, "", make_uscc(100 + number, division=f"{side.city}00"))
    add("county_ecology 丙", "county_ecology", "430211")  # the county beside, in the same city
    add("enterprise 丙", "enterprise", "", make_uscc(73, division="430200"))  # not registered
    add("public", "public")
    return found


class Local:
    """HTTP to an application on an event loop of its own, which keeps the threads that the product works on."""

    def __init__(self, app: Edge) -> None:
        self._loop, self._ended = asyncio.new_event_loop(), asyncio.Event()
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        self._client = httpx.AsyncClient(transport=transport, base_url="http://testserver")
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._ended.wait(),), daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self.run(self._client.request(method, path, **options))

    def close(self) -> None:
        self.run(self._client.aclose())
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join()
        self._loop.close()


class World:
    """A running province in this process: callers by name, both sides, and their things."""

    def __init__(self, system: System, client: Local, signer: TokenSigner) -> None:
        self.system, self.client, self._signer = system, client, signer
        self.sides = sides()
        self.callers = callers_of(self.sides)
        self.holders: dict[str, Caller] = {}  # by operation: who is let through, once it was found out
        self._apis: dict[str, Api] = {"nobody": Api(client, None)}  # type: ignore[arg-type]

    def __getitem__(self, name: str) -> Api:
        """The caller of a name with all the scopes of its role."""
        if name not in self._apis:
            self._apis[name] = self.with_scopes(self.callers[name], self.callers[name].scopes)
        return self._apis[name]

    def with_scopes(self, caller: Caller, scopes: frozenset[str]) -> Api:
        token = Caller(caller.client_id, caller.role, caller.name, caller.jurisdiction, caller.uscc, scopes)
        return Api(self.client, self._signer.issue(token, time.time()))  # type: ignore[arg-type]

    def other(self, side: Side) -> Side:
        return self.sides[1] if side is self.sides[0] else self.sides[0]


@contextmanager
def populated(cluster: Cluster, folder: Path, receiver: str) -> Iterator[tuple[World, dict[str, str]]]:
    """The world and the environment that it lives in; nothing of it runs by itself."""
    found = cluster.copy()
    clock = folder / "clock"
    clock.write_text(TODAY.isoformat())
    found |= {"CLEANPROD_CLOCK_FILE": str(clock), "CLEANPROD_WEBHOOK_ALLOW": "127.0.0.0/8"}
    with with_environment(found):
        system = System(SERVICES, Settings())
    signer = TokenSigner.from_file(cluster.home.secrets / "token_key.pem", ISSUER)
    client = Local(system.edge)
    with with_environment(found):
        world = World(system, client, signer)
        populate(world, receiver)
    yield world, found
    client.close()
    system.stop()
    system.bus._db.dispose()  # type: ignore[union-attr]
    cluster.drop(found["MARK"])


def good(answer: httpx.Response) -> Any:
    assert answer.is_success, shown(answer)
    return answer.json()


def populate(world: World, receiver: str) -> None:
    """The main job once on each side, by the callers whose job it is."""
    province = world["provincial_ecology"]
    experts = [
        good(province.post("/registry/v1/experts", {"name": f"专家{n}", "employer_uscc": make_uscc(200 + n)}))["id"]
        for n in range(3)
    ]
    for side in world.sides:
        _register(world, side)
    world.system.run_until_quiet()
    for side in world.sides:
        _subscribe(world, side, f"{receiver}/{side.word}")
    entries = _published(world)
    for side, entry in zip(world.sides, entries, strict=True):
        side.ids |= {"entry_id": entry["id"], "round_id": entry["round"], "code": "ANNUAL_DISCLOSURE"}
        _audit(world, side, experts)
        _facts(world, side)
        _imports(world, side)
    world.system.run_until_quiet()
    tiers = {"document_no": "湘发改示例〔2026〕1号", "settlement_mode": "PROSPECTIVE", "effective_from": "2026-06-01"}
    good(world["provincial_industry"].post(f"/incentives/v1/tier-lists/{PERIOD}/publish", tiers))
    world.system.run_until_quiet()
    send_due(world.system.contexts["notifications"], None)
    for side in world.sides:
        _outcomes(world, side)


def _register(world: World, side: Side) -> None:
    """The firm with what is not public about it, its institution, its consent to a bank, and a client."""
    province, word = world["provincial_ecology"], side.word
    body = {
        "uscc": side.firm.uscc,
        "name": side.firm.name,
        "division": side.firm.division,
        "industry": "3216",
        "legal_representative": side.secret("法人"),
        "address": side.secret("地址"),
        "permit_no": f"{side.firm.uscc}001P",
    }
    side.secrets.add(body["permit_no"])
    good(world[f"city_ecology {word}"].post("/registry/v1/enterprises", body))
    institution = {"uscc": side.institution, "name": f"{word}示例技术服务公司", "division": "430104"}
    good(province.post("/registry/v1/institutions", institution))
    consent = {
        "uscc": side.firm.uscc,
        "bank": side.bank,
        "purpose": "pre_loan",
        "scope": ["audit", "credit", "decisions"],
        "valid_to": "2027-06-30",
    }
    side.ids["consent_id"] = good(world[f"enterprise {word}"].post("/registry/v1/consents", consent))["id"]
    client = {"role": "bank", "name": f"{word}银行", "uscc": side.bank}
    side.ids["client_id"] = good(province.post("/registry/v1/clients", client))["client_id"]
    side.ids["uscc"] = side.firm.uscc
    side.secrets |= {side.ids["consent_id"], side.ids["client_id"]}


def _published(world: World) -> list[dict[str, Any]]:
    """A published list with both firms, and a draft."""
    province = world["provincial_ecology"]
    list_id = made_list(province)
    rows = [side.firm.row(备注=side.secret("备注")) for side in world.sides]
    job = imported(world.system, province, list_id, list_file(rows))
    assert job["state"] == "succeeded", job
    good(publish(province, list_id, PUBLISHED.isoformat()))
    world.system.run_until_quiet()
    entries: list[dict[str, Any]] = good(province.get(f"/audits/v1/lists/{list_id}/entries"))["items"]
    for side in world.sides:
        side.ids |= {"list_id": list_id, "audits/import_id": job["result"]["import"], "audits/job_id": job["id"]}
        side.owners["audits"] = "provincial_ecology"
    return sorted(entries, key=lambda entry: [side.firm.uscc for side in world.sides].index(entry["uscc"]))


def _audit(world: World, side: Side, experts: list[str]) -> None:
    """A whole round up to its acceptance, with an institution."""
    enterprise, officer = world[f"enterprise {side.word}"], world[f"city_ecology {side.word}"]
    story = Story(world.system, enterprise, officer, side.ids["round_id"], experts=experts)
    contract = story.file(side.secret("合同"))
    story.move("disclose", channel="官网", url="https://firm.example/1", disclosed_on=story.next_day())
    leader = {"leader": side.secret("负责人"), "started_on": story.next_day()}
    story.move("start", service_mode="institution", institution=side.institution, contract=contract, **leader)
    dear = story.audit()
    story.change(dear, name=side.secret("方案"))
    story.report_and_apply()
    story.evaluate("95", "95", "95")
    story.implement_and_apply(dear)
    story.accept(level="II")
    side.ids |= {"measure_id": dear, "file_id": contract}
    side.secrets |= {dear, *story.files.values()}


def _facts(world: World, side: Side) -> None:
    """A smelter's measured use, and a grade."""
    officer, place = world[f"city_ecology {side.word}"], f"/registry/v1/enterprises/{side.firm.uscc}/facts"
    for code, value in (
        ("al_kwh_per_t", "13481"),
        ("renewable_share_pct", "8"),
        ("grid_account", f"0733-{side.city}99"),
    ):
        until = {} if code == "grid_account" else {"valid_to": "2025-12-31"}
        fact = {"code": code, "value": value, "valid_from": "2025-01-01", "source": side.secret("来源")} | until
        side.secrets.add(good(officer.post(place, fact))["id"])
    side.secrets.add(f"0733-{side.city}99")
    grade = {"grade": "蓝牌", "level": "city", "published_on": "2026-06-05", "document_no": "湘环示例〔2026〕3号"}
    good(officer.post("/credit/v1/records", {"uscc": side.firm.uscc, "evaluation_year": 2025} | grade))


def _imports(world: World, side: Side) -> None:
    """A file with a wrong row in it at the registry and at credit, by the city."""
    for service, kind, header in (
        ("registry", "enterprises", "企业名称,统一社会信用代码,所在县市区,行业代码\n"),
        ("credit", "records", "企业名称,统一社会信用代码,评价年度,等级,评价层级,发布日期,文号\n"),
    ):
        row = (
            f"{side.secret('坏行')},12345,石峰区,3216\n"
            if kind == "enterprises"
            else "x,12345,2025,蓝牌,省级,2026-06-05,x\n"
        )
        upload = {"file": (f"{side.secret('文件名')}.csv", (header + row).encode())}
        answer = world[f"city_ecology {side.word}"].request(
            "POST", f"/{service}/v1/imports", files=upload, data={"kind": kind}
        )
        made = good(answer)
        side.ids |= {f"{service}/import_id": made["import"], f"{service}/job_id": made["job"]}
        side.owners[service] = f"city_ecology {side.word}"
        side.secrets |= {made["import"], made["job"]}


def _subscribe(world: World, side: Side, url: str) -> None:
    """A verified subscription to everything that its owner may see."""
    owner = f"subscriber {side.word}"
    made = good(world[owner].post("/notifications/v1/subscriptions", {"url": url, "types": ["*"]}))
    place = f"/notifications/v1/subscriptions/{made['id']}"
    good(world[owner].post(f"{place}/verify"))
    side.ids["subscription_id"], side.owners["notifications"] = made["id"], owner
    side.secrets |= {made["id"], made["secret"]}


def _outcomes(world: World, side: Side) -> None:
    """What has become of it: a delivery, decisions, an entry of the access ledger; then a round that is open."""
    owner, place = world[f"subscriber {side.word}"], f"/notifications/v1/subscriptions/{side.ids['subscription_id']}"
    sent = good(owner.get(f"{place}/deliveries"))["items"]
    side.ids["delivery_id"] = sent[0]["id"]
    side.secrets |= {delivery["id"] for delivery in sent}
    decisions = good(world[f"enterprise {side.word}"].get(f"/incentives/v1/enterprises/{side.firm.uscc}/decisions"))[
        "items"
    ]
    by_programme = {decision["programme"]: decision["id"] for decision in decisions}
    side.ids |= {"decision_id": by_programme["finance.recommend"], "price": by_programme["tariff.al"], "period": PERIOD}
    side.secrets |= set(by_programme.values())
    bank = world[f"bank {side.word}"]
    good(bank.get(f"/audits/v1/enterprises/{side.firm.uscc}/status"))
    world.system.run_until_quiet()
    opened = world[f"enterprise {side.word}"].post("/audits/v1/rounds", {"uscc": side.firm.uscc, "track": "voluntary"})
    side.ids["open_round"] = good(opened)["id"]
    world.system.run_until_quiet()
