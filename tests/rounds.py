"""Made-up rounds for tests, and a story that plays their moves over HTTP."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx

from infra.system import System
from services.audits import rules
from services.audits.actions.obligations import open_planned
from services.audits.models import AuditRound, ExpertCopy, InstitutionCopy, RoundState, Track
from tests.conftest import Api, As, shown
from tests.lists import Firm, firm, know

PDF = b"%PDF-1.7\n%%EOF\n"
PUBLISHED = date(2026, 3, 10)
PRODUCTS = {
    "P1_PREPARATION": ["leading_group", "working_group", "work_plan", "training_record"],
    "P2_PRE_AUDIT": ["three_year_data", "level_benchmark", "audit_focus", "targets"],
    "P3_AUDIT": ["flow_diagram", "measured_io", "balance", "cause_analysis"],
    "P4_GENERATION": ["measure_list", "screening_result"],
    "P5_DETERMINATION": ["feasibility_study", "recommended_measures"],
    "P6_IMPLEMENTATION": ["implementation_plan", "implemented_results"],
    "P7_CONTINUOUS": ["continuous_plan"],
}
FULL = {
    "A1": "3", "A2": "7", "B1": "3", "B2": "10", "B3": "9", "B4": "5", "B5": "8", "B6": "5", "B7": "5", "B8": "7",
    "B9": "6", "C1": "6", "C2": "8", "C3": "12", "C4": "6",
}  # fmt: skip
ACCEPTED = {"D1": "9", "D2": "9", "D3": "20", "D4": "15", "D5": "15", "D6": "8", "D7": "4"}
FAILED = {"D1": "0", "D2": "5", "D3": "20", "D4": "10", "D5": "10", "D6": "10", "D7": "4.9"}  # 59.9


def points(total: str) -> dict[str, str]:
    """A filled evaluation sheet that makes a total: points are taken off the largest items first."""
    from decimal import Decimal

    missing, scores = Decimal(100) - Decimal(total), dict(FULL)
    for item in sorted(FULL, key=lambda code: -int(FULL[code])):
        taken = min(missing, Decimal(FULL[item]))
        scores[item], missing = str(Decimal(FULL[item]) - taken), missing - taken
    return scores


def made_round(system: System, one: Firm, state: RoundState = RoundState.LISTED, **fields: Any) -> UUID:
    """A round in a state, with the duties of a publication where it is mandatory."""
    told: dict[str, Any] = {"track": Track.MANDATORY, "published_on": PUBLISHED, "latest_on": PUBLISHED} | fields
    with system.contexts["audits"].db.begin() as tx:
        round = AuditRound(uscc=one.uscc, name=one.name, division=one.division, state=state, **told)
        tx.add(round)
        tx.flush()
        if round.track is Track.MANDATORY:
            for plan in rules.obligations_for_publication(PUBLISHED):
                open_planned(tx, round, plan, PUBLISHED)
        return round.id


def put_in_state(system: System, round_id: UUID | str, state: RoundState, **fields: Any) -> None:
    with system.contexts["audits"].db.begin() as tx:
        round = tx.get_one(AuditRound, UUID(str(round_id)))
        round.state = state
        for name, value in fields.items():
            setattr(round, name, value)


def experts(system: System, *employers: str, advised: dict[int, list[dict[str, str]]] | None = None) -> list[str]:
    """Experts of the pool by employer; `advised` by position."""
    made = [
        ExpertCopy(id=uuid4(), name=f"专家{i}", employer_uscc=employer, advised=(advised or {}).get(i, []))
        for i, employer in enumerate(employers)
    ]
    with system.contexts["audits"].db.begin() as tx:
        tx.add_all(made)
    return [str(expert.id) for expert in made]


def institution(system: System, number: int = 900) -> str:
    one = firm(number)
    with system.contexts["audits"].db.begin() as tx:
        tx.add(InstitutionCopy(uscc=one.uscc, id=uuid4(), name="示例清洁生产技术服务公司", division="430104"))
    return one.uscc


@dataclass
class Story:
    """Plays the moves of one round; every answer that is not 200 is a failure."""

    system: System
    enterprise: Api
    officer: Api
    id: str
    day: date = PUBLISHED
    experts: list[str] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)

    @property
    def round(self) -> dict[str, Any]:
        answer = self.officer.get(f"/audits/v1/rounds/{self.id}")
        assert answer.status_code == 200, shown(answer)
        return dict(answer.json())

    def next_day(self) -> str:
        self.day += timedelta(days=2)
        return self.day.isoformat()

    def send(self, api: Api, move: str, **body: Any) -> httpx.Response:
        headers = {"If-Match": f'"{self.round["version"]}"'}
        return api.post(f"/audits/v1/rounds/{self.id}/{move}", body, headers=headers)

    def move(self, move: str, **body: Any) -> dict[str, Any]:
        return self._good(self.send(self.enterprise, move, **body))

    def decide(self, move: str, **body: Any) -> dict[str, Any]:
        return self._good(self.send(self.officer, move, **body))

    def _good(self, answer: httpx.Response) -> dict[str, Any]:
        assert answer.status_code == 200, shown(answer)
        return dict(answer.json())

    def file(self, name: str) -> str:
        if name not in self.files:
            upload = {"file": (f"{name}.pdf", PDF + name.encode())}
            answer = self.enterprise.request("POST", "/audits/v1/files", files=upload)
            assert answer.status_code == 201, shown(answer)
            self.files[name] = answer.json()["id"]
        return self.files[name]

    def phase(self, phase: str) -> dict[str, Any]:
        products = [{"kind": kind, "data": {"note": "x"}} for kind in PRODUCTS[phase]]
        return self.move("complete-phase", phase=phase, products=products, completed_on=self.next_day())

    def measure(self, cost: str, **changes: Any) -> str:
        place = f"/audits/v1/rounds/{self.id}/measures"
        answer = self.enterprise.post(place, {"name": "方案", "aspect": "A2", "cost_cny": cost})
        assert answer.status_code == 201, shown(answer)
        measure = str(answer.json()["id"])
        if changes:
            self.change(measure, **changes)
        return measure

    def change(self, measure: str, **changes: Any) -> dict[str, Any]:
        place = f"/audits/v1/rounds/{self.id}/measures/{measure}"
        tag = self.enterprise.get(place).headers["ETag"]
        return self._good(self.enterprise.patch(place, changes, headers={"If-Match": tag}))

    def start_by_itself(self) -> None:
        self.move(
            "start", service_mode="self", ability_proof=self.file("proof"), leader="张三", started_on=self.next_day()
        )

    def audit(self, first: str = "P1_PREPARATION") -> str:
        """The phases up to 5 with two measures; the dear one's id."""
        phases = list(PRODUCTS)
        for phase in phases[phases.index(first) : 3]:
            self.phase(phase)
        self.measure("20000", screen_result="candidate", status="done")
        dear = self.measure("800000.00", screen_result="candidate")
        self.phase("P4_GENERATION")
        self.change(dear, technical_ok=True, environmental_ok=True, economic_ok=True)
        self.phase("P5_DETERMINATION")
        return dear

    def report_and_apply(self) -> None:
        self.move("submit-report", report=self.file("report"), submitted_on=self.next_day(), summary="摘要")
        self.move("apply-evaluation", applied_on=self.next_day())

    def evaluate(self, *totals: str, vetoes: tuple[str, ...] = ()) -> dict[str, Any]:
        """The panel of as many experts as totals decides."""
        panel = self.experts[: len(totals)]
        self.decide("accept-application", panel=panel)
        sheets = [{"expert": e, "scores": points(total)} for e, total in zip(panel, totals, strict=True)]
        return self.decide(
            "record-evaluation", sheets=sheets, vetoes=list(vetoes), opinion="意见", decided_on=self.next_day()
        )

    def implement_and_apply(self, dear: str) -> None:
        self.move("begin-implementation", plan="按方案实施", begun_on=self.next_day())
        self.change(dear, status="done")
        self.phase("P6_IMPLEMENTATION")
        self.phase("P7_CONTINUOUS")
        self.move("apply-acceptance", **self.papers(), applied_on=self.next_day())

    def papers(self) -> dict[str, str]:
        return {name: self.file(name) for name in ("acceptance_report", "monitoring_before", "monitoring_after")}

    def accept(self, scores: dict[str, str] | None = None, **given: Any) -> dict[str, Any]:
        self.decide("accept-application")
        body = {"scores": scores or ACCEPTED, "vetoes": [], "document_no": "株环验〔2026〕1号"} | given
        return self.decide("record-acceptance", **body, accepted_on=self.next_day())

    def duties(self) -> dict[str, str]:
        return {duty["code"]: duty["status"] for duty in self.round["obligations"]}


def story(system: System, as_role: As, number: int = 1, **fields: Any) -> Story:
    """A round of a known firm, its enterprise and the ecology authority of its city."""
    one = firm(number)
    know(system, one)
    round_id = made_round(system, one, **fields)
    return Story(
        system, as_role("enterprise", uscc=one.uscc), as_role("city_ecology", jurisdiction="4302"), str(round_id)
    )
