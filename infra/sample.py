"""The sample province: at most five hundred fictional firms at every stage, made through the product's own API."""

import json
from datetime import date, timedelta
from typing import Any

from infra import fiction
from infra.audit_story import RoundStory
from infra.client import Callers, until
from infra.credentials import CLIENTS, uscc_of
from infra.fiction import Firm
from infra.home import Home
from infra.system import System

FIRMS, LISTED = 300, 60
STAGES = ("listed", "started", "auditing", "reported", "supplement", "evaluated", "implementing", "accepted", "failed")


def load(home: Home, system: System) -> None:
    """Make the province on first start; a start that was interrupted goes on where it can."""
    done = home.folder / "sample.done"
    if done.exists():
        return
    today = system.contexts["audits"].clock.today()
    Province(Callers(home.credentials), today).make()
    for service in system.services:
        # Today's job ran before there was a province; what fell due in its past would not be overdue until tomorrow.
        if service.daily is not None:
            with system.contexts[service.name].db.begin() as tx:
                service.daily(tx, today)
    done.write_text(json.dumps({"firms": FIRMS, "listed": LISTED}))


class Province:
    """Everything the sample holds, step by step over HTTP."""

    def __init__(self, callers: Callers, today: date) -> None:
        self.callers, self.today = callers, today
        self.province = callers["provincial_ecology"]
        self.firms = [_credential_firm(), *fiction.firms(FIRMS - 1)]
        self.published_on = today - timedelta(days=300)
        self.experts: list[str] = []

    def make(self) -> None:
        self._import("/registry/v1/imports", "企业.xlsx", fiction.register_file(self.firms), kind="enterprises")
        self._people()
        rounds = self._list()
        self._grades()
        self._facts()
        for stage, firm in zip(STAGES, self._stage_firms(), strict=True):
            self._bring_to(stage, firm, rounds[firm.uscc])

    def _import(self, path: str, name: str, content: bytes, **form: str) -> None:
        job = self.province.job(path, name, content, on_error="skip", **form)
        if job["state"] != "succeeded":
            raise RuntimeError(f"the sample's {name} was refused: {job}")

    def _people(self) -> None:
        institution = {"uscc": uscc_of("institution"), "name": CLIENTS["institution"]["name"], "division": "430104"}
        self.province.post("/registry/v1/institutions", institution)
        for name in ("示例专家甲", "示例专家乙", "示例专家丙", "示例专家丁", "示例专家戊"):
            expert = {"name": name, "employer_uscc": uscc_of("bank"), "specialities": ["有色金属"], "advised": []}
            self.experts.append(self.province.post("/registry/v1/experts", expert)["id"])
        until(lambda: self._known(self.firms[-1].uscc), what="audits to know the sample's firms")

    def _known(self, uscc: str) -> bool:
        return self.province.request("GET", f"/audits/v1/enterprises/{uscc}/status").status_code == 200

    def _list(self) -> dict[str, str]:
        body = {"kind": "mandatory", "year": self.published_on.year, "document_no": "湘环示例〔示例〕1号", "title": "示例名单"}
        made = self.province.post("/audits/v1/lists", body)
        place = f"/audits/v1/lists/{made['id']}"
        self._import(f"{place}/imports", "名单.xlsx", fiction.list_file(self.firms[:LISTED]))
        self.province.post(f"{place}/publish", {"published_on": self.published_on.isoformat()})
        entries: dict[str, str] = {}
        after = None
        while True:
            page = self.province.get(f"{place}/entries", limit=200, after=after)
            entries |= {entry["uscc"]: entry["round"] for entry in page["items"]}
            after = page["next"]
            if after is None:
                return entries

    def _grades(self) -> None:
        until(lambda: self._graded(), what="credit to know the sample's firms")
        year = self.today.year - 2
        self._import("/credit/v1/imports", "等级.xlsx", fiction.grades_file(self.firms[:120], year), kind="records")

    def _graded(self) -> bool:
        return self.province.request("GET", f"/credit/v1/enterprises/{self.firms[-1].uscc}").status_code == 200

    def _facts(self) -> None:
        year = self.today.year - 1
        smelters = [firm for firm in self.firms if firm.industry == "3216"][:6]
        for number, firm in enumerate(smelters):
            for code, value in _measured(number).items():
                fact = {"code": code, "value": value, "valid_from": f"{year}-01-01", "source": "示例核定"}
                self.province.post(f"/registry/v1/enterprises/{firm.uscc}/facts", fact)

    def _stage_firms(self) -> list[Firm]:
        return self.firms[: len(STAGES)]

    def _bring_to(self, stage: str, firm: Firm, round_id: str) -> None:
        if stage == "listed":
            return
        caller = self.callers.made("enterprise", firm.name, uscc=firm.uscc)
        story = RoundStory(caller, self.province, round_id, self.experts[:3], self.published_on, self.today)
        _play(story, stage)


def _play(story: RoundStory, stage: str) -> None:
    """The moves up to a stage."""
    steps: dict[str, Any] = {
        "started": story.disclose_and_start,
        "auditing": story.audit,
        "reported": story.report,
        "evaluated": story.evaluation,
        "implementing": story.implement,
    }
    for name, step in steps.items():
        if stage == "supplement" and name == "evaluated":
            return story.evaluation("0.8")
        step()
        if name == stage:
            return None
    weak = dict.fromkeys(("D1", "D2", "D3", "D4", "D5", "D6", "D7"), "5")
    scores, level = (None, "II") if stage == "accepted" else (weak, "III")
    story.acceptance("湘环验示例〔示例〕1号", level, scores)
    return None


def _measured(number: int) -> dict[str, str]:
    facts = {"al_kwh_per_t": str(13250 + 60 * number), "al_production_kwh": "1200000000", "renewable_share_pct": "8"}
    return facts | {"grid_account": f"0731-EX-{number:06d}"}


def _credential_firm() -> Firm:
    """The firm of the `enterprise` client: listed, and left for the person who tries the product."""
    client = CLIENTS["enterprise"]
    return Firm(uscc_of("enterprise"), client["name"], "430202", "3216")
