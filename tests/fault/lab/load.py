"""The load: real journeys over HTTP, drawn from a seed, by a few callers at once."""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, cast

from infra import fiction
from infra.client import Caller, until
from infra.credentials import uscc_of
from infra.fiction import Firm
from shared.codes import make_uscc
from tests.fault.lab.caller import PATIENCE, GaveUp, LabCaller, Refused
from tests.fault.lab.history import Ended, History
from tests.fault.lab.rounds import DEPTHS, Round
from tests.fault.lab.topology import TODAY, Lab

PUBLISHED = date(2026, 3, 10)
CITIES = {"4302": ("430202", "430204", "430223"), "4306": ("430602", "430603", "430621")}
PUBLIC_TYPES = ["audits.list_entry.published.v1", "audits.acceptance.recorded.v1", "credit.record.published.v1"]


@dataclass
class World:
    """Who takes part: the given clients and those made on the way, the experts, the subscriptions."""

    lab: Lab
    history: History
    seed: int
    callers: dict[str, LabCaller] = field(default_factory=dict)
    experts: list[str] = field(default_factory=list)
    subscriptions: dict[str, str] = field(default_factory=dict)  # subscription → client
    secrets: dict[str, list[str]] = field(default_factory=dict)  # subscription → its webhook secrets so far
    consents: dict[str, str] = field(default_factory=dict)  # enterprise with an active or revoked consent → bank
    stopping: threading.Event = field(default_factory=threading.Event)
    _making: threading.Lock = field(default_factory=threading.Lock)

    def caller(self, name: str, identity: dict[str, str] | None = None) -> LabCaller:
        """The caller of a client's name; a new client brings its identity."""
        with self._making:
            if name not in self.callers:
                made = LabCaller(name, identity or self.lab.clients[name], self.lab.base, self.history)
                made.stopped = self.stopping
                self.callers[name] = made
            return self.callers[name]

    def prepare(self) -> None:
        """What has to be there before anything is made: experts, an institution, another bank, subscriptions."""
        province = self.caller("provincial_ecology")
        body = {"uscc": uscc_of("institution"), "name": "麓山示例清洁生产技术服务公司", "division": "430104"}
        province.post("/registry/v1/institutions", body)
        for name in "甲乙丙":
            expert = {"name": f"示例专家{name}", "employer_uscc": uscc_of("bank"), "specialities": [], "advised": []}
            self.experts.append(province.post("/registry/v1/experts", expert)["id"])
        other = {"role": "bank", "name": "示例他行", "uscc": make_uscc(900_101, division="430100")}
        self.caller("other_bank", province.post("/registry/v1/clients", other) | other)
        for client, types in (
            ("subscriber", PUBLIC_TYPES),
            ("provincial_ecology", ["*"]),
            ("city_ecology_4302", ["audits.*"]),
        ):
            self.subscribe(self.caller(client), types)

    def subscribe(self, client: LabCaller, types: list[str]) -> None:
        place = "/notifications/v1/subscriptions"
        made = client.post(place, {"url": f"{self.lab.hook}/{client.name}", "types": types})
        client.post(f"{place}/{made['id']}/verify")
        self.subscriptions[made["id"]], self.secrets[made["id"]] = client.name, [made["secret"]]

    def rotate_webhook_secret(self, subscription: str) -> None:
        place = f"/notifications/v1/subscriptions/{subscription}/rotate-secret"
        made = self.caller(self.subscriptions[subscription]).post(place)
        self.secrets[subscription].append(made["secret"])

    def rotate_client_secret(self, name: str) -> None:
        """The old one ends at once; whoever signs in meanwhile waits for the new one."""
        client = self.caller(name)
        with client.signing_in:
            place = f"/registry/v1/clients/{client.identity['client_id']}/rotate-secret"
            made = self.caller("provincial_industry").post(place)
            client.identity = client.identity | {"client_secret": made["client_secret"]}


@dataclass
class Load:
    """Campaigns played by threads; what nobody should have been refused is in `complaints`."""

    world: World
    campaigns: int
    threads: int = 4
    complaints: list[str] = field(default_factory=list)
    played: int = 0
    _threads: list[threading.Thread] = field(default_factory=list)
    started: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self) -> None:
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        for _ in range(self.threads):
            thread = threading.Thread(target=self._run, daemon=True)
            thread.start()
            self._threads.append(thread)

    def more(self, campaigns: int) -> None:
        """So many campaigns more, where those that were planned are played."""
        self.campaigns = self.started + campaigns
        self.start()

    def another(self) -> None:
        """One campaign more, from its beginning, beside those that run."""
        with self._lock:
            number, self.started, self.campaigns = self.started, self.started + 1, self.campaigns + 1
        thread = threading.Thread(target=self._play, args=(number,), daemon=True)
        thread.start()
        self._threads.append(thread)

    @property
    def running(self) -> bool:
        return any(thread.is_alive() for thread in self._threads)

    def stop(self, seconds: float = 30) -> None:
        """No new campaign; those that run may end within a time, or end with the operation that they are at."""
        self.campaigns = 0
        history, end = self.world.history, time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        history.ending = True
        for thread in self._threads:
            thread.join(PATIENCE)
        self.world.stopping.set()
        for thread in self._threads:
            thread.join(60)
        self.world.stopping.clear()
        history.ending = False

    def _next(self) -> int | None:
        with self._lock:
            if self.started >= self.campaigns:
                return None
            self.started += 1
            return self.started - 1

    def _run(self) -> None:
        while (number := self._next()) is not None:
            self._play(number)

    def _play(self, number: int) -> None:
        try:
            Campaign(self.world, number).play()
            self.played += 1
        except Ended:
            return
        except Refused as refused:
            self.complaints.append(f"campaign {number}: a polite caller was refused: {refused}")
        except GaveUp as error:
            self.complaints.append(f"campaign {number}: no answer in time: {error}")
        except Exception as error:
            self.complaints.append(f"campaign {number}: {error!r}")


class Campaign:
    """One year's small list: its firms are registered, listed, audited, graded, and asked about."""

    def __init__(self, world: World, number: int) -> None:
        self.world, self.number = world, number
        self.chance = random.Random(f"{world.seed}/{number}")
        self.province = world.caller("provincial_ecology")
        self.place = self.chance.choice(sorted(CITIES))
        self.firms = [self._firm(n) for n in range(3)]

    def _firm(self, n: int) -> Firm:
        serial = 1_000_000 + self.number * 10 + n
        division = self.chance.choice(CITIES[self.place])
        industry = self.chance.choice(("3212", "3216", "2611", "3360"))
        return Firm(make_uscc(serial, division="430200", series="MB"), f"示例{serial}有限公司", division, industry)

    def play(self) -> None:
        self.register()
        rounds = self.publish()
        gone = self.firms[2:] if self.chance.random() < 0.3 else []
        for firm in self.firms:
            if firm in gone:
                self.withdraw(firm)
            else:
                FirmStory(self, firm, rounds[firm.uscc]).play()
        if self.chance.random() < 0.3:
            self.tier_list()

    def register(self) -> None:
        """The first firm by hand, the second by file; the third is only on the list."""
        one, two, _ = self.firms
        body = {"uscc": one.uscc, "name": one.name, "division": one.division, "industry": one.industry}
        self.province.post("/registry/v1/enterprises", body)
        content = fiction.register_file([one, two])
        done = self.province.job("/registry/v1/imports", "企业.xlsx", content, kind="enterprises", on_error="skip")
        if done["state"] != "succeeded":
            raise ValueError(f"the register file failed: {done}")

    def publish(self) -> dict[str, str]:
        """The list, from its draft to its publication; the round of each firm."""
        body = {
            "kind": "mandatory",
            "year": 2026,
            "document_no": f"湘环示例{self.number}号",
            "title": f"名单{self.number}",
        }
        place = f"/audits/v1/lists/{self.province.post('/audits/v1/lists', body)['id']}"
        done = self.province.job(f"{place}/imports", "名单.xlsx", fiction.list_file(self.firms))
        if done["state"] != "succeeded":
            raise ValueError(f"the list's file failed: {done}")
        self.province.post(f"{place}/publish", {"published_on": PUBLISHED.isoformat()})
        self.entries = self.province.get(f"{place}/entries")["items"]
        return {entry["uscc"]: str(entry["round"]) for entry in self.entries}

    def withdraw(self, firm: Firm) -> None:
        entry = next(e for e in self.entries if e["uscc"] == firm.uscc)
        self.province.post(f"/audits/v1/entries/{entry['id']}/withdraw", {"reason": "示例"})

    def tier_list(self) -> None:
        body = {
            "document_no": f"湘工信示例{self.number}号",
            "settlement_mode": "PROSPECTIVE",
            "effective_from": "2026-11-01",
        }
        self.world.caller("provincial_industry").post("/incentives/v1/tier-lists/2026-11/publish", body)


class FirmStory:
    """One firm on the list: its facts and consents, its audit as far as chance lets it, and who looks on."""

    def __init__(self, campaign: Campaign, firm: Firm, round_id: str) -> None:
        self.campaign, self.world, self.firm, self.chance = campaign, campaign.world, firm, campaign.chance
        self.province, self.round_id = campaign.province, round_id
        self.city = self.world.caller(f"city_ecology_{campaign.place}")

    def play(self) -> None:
        self.enterprise = self.sign_up()
        steps: list[Callable[[], Any]] = [self.facts, self.consent, self.grade, self.rename]
        self.chance.shuffle(steps)
        for step in steps[: self.chance.randint(1, 4)]:
            step()
        self.audit(self.chance.choice(DEPTHS))
        self.look_on()

    def sign_up(self) -> LabCaller:
        new = {"role": "enterprise", "name": self.firm.name, "uscc": self.firm.uscc}
        return self.world.caller(self.firm.uscc, self.province.post("/registry/v1/clients", new) | new)

    def facts(self) -> None:
        place = f"/registry/v1/enterprises/{self.firm.uscc}/facts"
        value = str(self.chance.randint(13_000, 14_500))
        for code, said in (("al_kwh_per_t", value), ("al_production_kwh", "1200000"), ("GF_V1", "absent")):
            fact = {"code": code, "value": said, "valid_from": "2025-01-01", "source": "示例核定"}
            self.province.post(place, fact, eventually=True)

    def consent(self) -> None:
        body: dict[str, Any] = {"uscc": self.firm.uscc, "bank": uscc_of("bank"), "purpose": "pre_loan"}
        body |= {"valid_to": "2027-02-28", "scope": ["audit", "credit", "decisions"]}
        self.world.consents[self.firm.uscc] = "asked"
        made = self.enterprise.post("/registry/v1/consents", body, eventually=True)
        self.world.consents[self.firm.uscc] = "granted"
        if self.chance.random() < 0.3:
            self.enterprise.post(f"/registry/v1/consents/{made['id']}/revoke")
            self.world.consents[self.firm.uscc] = "revoked"

    def grade(self) -> None:
        record = {
            "uscc": self.firm.uscc,
            "evaluation_year": 2024,
            "grade": self.chance.choice(("蓝牌", "绿牌", "黄牌")),
        }
        record |= {"level": "city", "published_on": "2025-06-05", "document_no": f"株环示例{self.firm.uscc}号"}
        self.city.post("/credit/v1/records", record, eventually=True)

    def rename(self) -> None:
        place = f"/registry/v1/enterprises/{self.firm.uscc}"
        until(lambda: self.province.look(place), 90, f"the register to know {self.firm.uscc}")
        version = self.province.get(place)["version"]
        self.province.patch(place, {"address": f"示例路{self.chance.randint(1, 999)}号"}, version)

    def audit(self, depth: str) -> None:
        Round(
            cast(Caller, self.enterprise), cast(Caller, self.city), self.round_id, self.world.experts,
            PUBLISHED + timedelta(days=2), TODAY, pace=4, province=self.province, chance=self.chance,
        ).play(depth)  # fmt: skip

    def look_on(self) -> None:
        """What others see of it; the checker says whether they may."""
        uscc = self.firm.uscc
        other = "4306" if self.campaign.place == "4302" else "4302"
        for name in ("bank", "other_bank", f"city_ecology_{other}", f"city_ecology_{self.campaign.place}", "utility"):
            self.world.caller(name).look(f"/audits/v1/enterprises/{uscc}/status")
        self.world.caller(f"city_ecology_{other}").look(f"/audits/v1/rounds/{self.round_id}")
        self.world.caller(f"city_ecology_{other}").look("/audits/v1/rounds?limit=50")
        for name in ("bank", "other_bank"):
            self.world.caller(name).look(f"/incentives/v1/enterprises/{uscc}/decisions")
        for name in ("subscriber", "bank", "other_bank", f"city_ecology_{other}"):
            self.world.caller(name).look("/notifications/v1/events?limit=200")
