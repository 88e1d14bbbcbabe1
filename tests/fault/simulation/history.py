"""A short history drawn from a seed: what officers, enterprises and banks do, and what was acknowledged to them."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from infra.fiction import Firm
from services.audits.actions.steps import Step, lock_round
from services.audits.models import RoundState as S
from shared.auth import Caller
from shared.codes import make_uscc
from tests.fault.simulation.world import World
from tests.rounds import ACCEPTED, FAILED

BANK = make_uscc(7, division="430100", series="MA")
OFFICER = Caller("sim-officer", "city_ecology", "sim", "4302", "", frozenset())
HEADER = "企业名称,统一社会信用代码,所在市州,所在县市区,行业,纳入原因,备注\n"
FACTS = {
    "al_kwh_per_t": ("13300", "13371", "13650"), "al_production_kwh": ("1000000000",), "renewable_share_pct": ("8", "30"),
    "GF_V1": ("absent", "present"), "grid_account": ("0731-1", "0731-2"), "provincial_green_factory": ("true", "false"),
}  # fmt: skip
GRADES = ("绿牌", "蓝牌", "黄牌", "红牌")
# From the start of an audit to the day before its acceptance, as the state table knows it.
AHEAD = (
    ("start", S.STARTED), ("complete-phase", S.PRE_AUDIT), ("complete-phase", S.AUDITING),
    ("complete-phase", S.MEASURES_GENERATED), ("complete-phase", S.MEASURES_DETERMINED),
    ("submit-report", S.REPORT_SUBMITTED), ("apply-evaluation", S.EVAL_APPLIED), ("accept-application", S.EVAL_IN_REVIEW),
    ("record-evaluation", S.EVAL_PASSED), ("begin-implementation", S.IMPLEMENTING), ("apply-acceptance", S.ACCEPT_APPLIED),
)  # fmt: skip


@dataclass
class Told:
    """What callers were told has happened: the checker holds the product to it."""

    names: dict[str, str] = field(default_factory=dict)
    facts: Counter[tuple[str, str]] = field(default_factory=Counter)
    consents: dict[str, str] = field(default_factory=dict)  # id → enterprise
    revoked: set[str] = field(default_factory=set)
    grades: list[str] = field(default_factory=list)  # document numbers
    rounds: dict[str, str] = field(default_factory=dict)  # id → state
    entries: dict[str, str] = field(default_factory=dict)  # id → state
    imports: list[str] = field(default_factory=list)  # jobs
    reads: int = 0


class History:
    """Plays one seed's steps; a step for which nothing is ready draws nothing further."""

    def __init__(self, world: World) -> None:
        self.world, self.chance, self.told = world, world.chance, Told()
        numbers = self.chance.sample(range(30_000, 20_000_000), 2)
        industries = ("3216", "2614")
        self.firms = [
            Firm(make_uscc(n, division="430200"), f"示例{n}", "430202", i)
            for n, i in zip(numbers, industries, strict=True)
        ]
        self.lists = 0

    def play(self) -> Told:
        """Four to nine steps, with some of what they set off in between."""
        self.register()
        for _ in range(self.chance.randint(3, 8)):
            step = self.chance.choices(list(STEPS), weights=list(STEPS.values()))[0]
            self.world.trace.append(f"step {step.__name__}")
            step(self)
            self.world.stir(self.chance.randint(0, 2))
        return self.told

    def register(self) -> None:
        firm = self.chance.choice(self.firms)
        body = {"uscc": firm.uscc, "name": firm.name, "division": firm.division, "industry": firm.industry}
        answer = self.world.ask("provincial_ecology", "POST", "/registry/v1/enterprises", json=body)
        assert answer.status_code == (409 if firm.uscc in self.told.names else 201), answer.text
        self.told.names.setdefault(firm.uscc, firm.name)

    def _registered(self) -> str | None:
        return self.chance.choice(sorted(self.told.names)) if self.told.names else None

    def rename(self) -> None:
        uscc = self._registered()
        if uscc is None:
            return
        place = f"/registry/v1/enterprises/{uscc}"
        version = self.world.good("provincial_ecology", "GET", place)["version"]
        name = f"示例更名{self.chance.randrange(1000)}"
        answer = self.world.ask(
            "provincial_ecology", "PATCH", place, json={"name": name}, headers={"If-Match": f'"{version}"'}
        )
        # A crash after the commit took the answer; asked again, the version has gone on.
        assert answer.status_code in (200, 412), answer.text
        self.told.names[uscc] = name

    def record_fact(self) -> None:
        uscc = self._registered()
        if uscc is None:
            return
        code = self.chance.choice(sorted(FACTS))
        fact = {"code": code, "value": self.chance.choice(FACTS[code]), "valid_from": "2025-01-01", "source": "核定"}
        self.world.good("provincial_ecology", "POST", f"/registry/v1/enterprises/{uscc}/facts", json=fact)
        self.told.facts[uscc, code] += 1

    def grant(self) -> None:
        uscc = self._registered() or self.firms[0].uscc
        until = (self.world.today + timedelta(days=self.chance.randint(5, 200))).isoformat()
        body = {
            "uscc": uscc,
            "bank": BANK,
            "purpose": "pre_loan",
            "scope": ["audit", "credit", "decisions"],
            "valid_to": until,
        }
        made = self.world.good("enterprise", "POST", "/registry/v1/consents", uscc, json=body)
        self.told.consents[made["id"]] = uscc

    def revoke(self) -> None:
        held = sorted(self.told.consents.keys() - self.told.revoked)
        if not held:
            return
        consent = self.chance.choice(held)
        place = f"/registry/v1/consents/{consent}/revoke"
        answer = self.world.ask("enterprise", "POST", place, self.told.consents[consent])
        assert answer.status_code in (200, 409), answer.text  # 409: it had expired
        if answer.is_success:
            self.told.revoked.add(consent)

    def read_as_bank(self) -> None:
        self.world.stir(self.chance.choice((0, 8)))  # with the consent still on its way, or arrived
        uscc = self.chance.choice(sorted(self.told.consents.values()) or [firm.uscc for firm in self.firms])
        answer = self.world.ask("bank", "GET", f"/audits/v1/enterprises/{uscc}/status", BANK)
        if answer.is_success and "stage" in answer.json():
            self.told.reads += 1
        answer = self.world.ask("bank", "GET", f"/incentives/v1/enterprises/{uscc}/decisions", BANK)
        if answer.is_success:
            self.told.reads += 1

    def grade(self) -> None:
        uscc = self._registered()
        if uscc is None:
            return
        number = f"示例〔{len(self.told.grades)}〕"
        body = {
            "uscc": uscc, "evaluation_year": 2024, "grade": self.chance.choice(GRADES), "level": "province",
            "published_on": "2025-06-05", "document_no": number,
        }  # fmt: skip
        answer = self.world.ask("provincial_ecology", "POST", "/credit/v1/records", json=body)
        assert answer.status_code in (201, 404), answer.text  # 404: credit has not heard of the firm yet
        if answer.is_success:
            self.told.grades.append(number)

    def publish_list(self) -> None:
        world, some = self.world, self.chance.sample(self.firms, self.chance.choice((1, 1, 2)))
        self.lists += 1
        given = {"kind": "mandatory", "year": 2026, "document_no": f"示例{self.lists}号", "title": "名单"}
        listed = world.good("provincial_ecology", "POST", "/audits/v1/lists", json=given)["id"]
        place = f"/audits/v1/lists/{listed}"
        rows = "".join(f"{f.name},{f.uscc},{f.city_name},{f.county_name},{f.industry},双超,\n" for f in some)
        files = {"file": ("名单.csv", (HEADER + rows).encode())}
        answer = world.ask("provincial_ecology", "POST", f"{place}/imports", files=files)
        assert answer.status_code == 202, answer.text
        job = answer.headers["Location"]
        self.told.imports.append(job)
        audits = next(s for s in world.system.services if s.name == "audits")
        while world.good("provincial_ecology", "GET", job)["state"] in ("queued", "running"):
            world.turn(audits)
        day = {"published_on": world.today.isoformat()}
        world.good("provincial_ecology", "POST", f"{place}/publish", json=day)
        for entry in world.good("provincial_ecology", "GET", f"{place}/entries")["items"]:
            self.told.entries[entry["id"]] = "published"
            if entry["round"]:
                self._note(world.good("provincial_ecology", "GET", f"/audits/v1/rounds/{entry['round']}"))

    def _note(self, round: dict[str, Any]) -> None:
        self.told.rounds[round["id"]] = round["state"]

    def _round(self) -> dict[str, Any] | None:
        if not self.told.rounds:
            return None
        chosen = self.chance.choice(sorted(self.told.rounds))
        found: dict[str, Any] = self.world.good("provincial_ecology", "GET", f"/audits/v1/rounds/{chosen}")
        return found

    def move_on(self) -> None:
        """The next move that this round's state knows, of those that a history needs."""
        round = self._round()
        if round is None:
            return None
        today = self.world.today.isoformat()
        ways: dict[str, tuple[str, dict[str, Any]]] = {
            "disclose": ("enterprise", {"channel": "官网", "url": "https://firm.example", "disclosed_on": today}),
            "record-acceptance": ("city_ecology", self._verdict()),
            "suspend": ("city_ecology", {"reason": "示例"}),
            "resume": ("city_ecology", {"reason": "示例"}),
            "cancel": ("provincial_ecology", {"reason": "示例"}),
        }
        if round["state"] == S.ACCEPT_APPLIED:
            ways["accept-application"] = ("city_ecology", {})
        open_ways = [move for move in ways if move in round["allowed"]]
        weights = [0.3 if move in ("cancel", "suspend") else 3 for move in open_ways]
        if "start" in round["allowed"] and self.chance.random() < 0.6:
            return self._go_ahead(round)
        if not open_ways:
            return None
        move = self.chance.choices(open_ways, weights=weights)[0]
        role, body = ways[move]
        tag = {"If-Match": f'"{round["version"]}"'}
        uscc = round["uscc"] if role == "enterprise" else ""
        self._note(
            self.world.good(role, "POST", f"/audits/v1/rounds/{round['id']}/{move}", uscc, json=body, headers=tag)
        )
        return None

    def _verdict(self) -> dict[str, Any]:
        scores = self.chance.choice((ACCEPTED, ACCEPTED, FAILED))
        day = self.world.today.isoformat()
        return {"scores": scores, "vetoes": [], "document_no": "株环验", "level": "II", "accepted_on": day}

    def _go_ahead(self, round: dict[str, Any]) -> None:
        """The audit itself, by the product's own steps: its thirty calls are told elsewhere."""
        with self.world.system.contexts["audits"].db.begin() as tx:
            held = lock_round(tx, UUID(round["id"]))
            step = Step(tx, OFFICER, held, "", self.world.today)
            for step.move, target in AHEAD:
                step.enter(target)
            step.settled()
        self.told.rounds[round["id"]] = S.ACCEPT_APPLIED

    def withdraw(self) -> None:
        listed = sorted(e for e, state in self.told.entries.items() if state == "published")
        if not listed:
            return
        entry = self.chance.choice(listed)
        place = f"/audits/v1/entries/{entry}/withdraw"
        answer = self.world.ask("provincial_ecology", "POST", place, json={"reason": "示例"})
        assert answer.status_code in (200, 409), answer.text
        if answer.is_success:
            self.told.entries[entry] = "withdrawn"
            for round_id in sorted(self.told.rounds):
                self._note(self.world.good("provincial_ecology", "GET", f"/audits/v1/rounds/{round_id}"))

    def pass_days(self) -> None:
        self.world.set_day(self.world.today + timedelta(days=self.chance.choice((1, 7, 40, 130, 300))))
        self.world.daily()

    def publish_tiers(self) -> None:
        body = {"document_no": "示例", "settlement_mode": "PROSPECTIVE", "effective_from": self.world.today.isoformat()}
        answer = self.world.ask("provincial_industry", "POST", "/incentives/v1/tier-lists/2026-03/publish", json=body)
        assert answer.status_code in (200, 201, 422), answer.text


STEPS = {
    History.register: 2, History.rename: 2, History.record_fact: 3, History.grant: 3, History.revoke: 1,
    History.read_as_bank: 3, History.grade: 2, History.publish_list: 3, History.move_on: 6, History.withdraw: 1,
    History.pass_days: 1, History.publish_tiers: 1,
}  # fmt: skip
