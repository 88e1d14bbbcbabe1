"""One enterprise's way through a standard round, over HTTP: what the sample and the demo play."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from infra.client import Caller

PDF = b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
PRODUCTS = {
    "P1_PREPARATION": ["leading_group", "working_group", "work_plan", "training_record"],
    "P2_PRE_AUDIT": ["three_year_data", "level_benchmark", "audit_focus", "targets"],
    "P3_AUDIT": ["flow_diagram", "measured_io", "balance", "cause_analysis"],
    "P4_GENERATION": ["measure_list", "screening_result"],
    "P5_DETERMINATION": ["feasibility_study", "recommended_measures"],
    "P6_IMPLEMENTATION": ["implementation_plan", "implemented_results"],
    "P7_CONTINUOUS": ["continuous_plan"],
}
SHEET = {
    "A1": 3, "A2": 7, "B1": 3, "B2": 10, "B3": 9, "B4": 5, "B5": 8, "B6": 5,
    "B7": 5, "B8": 7, "B9": 6, "C1": 6, "C2": 8, "C3": 12, "C4": 6,
}
ACCEPTANCE = {"D1": "9", "D2": "9", "D3": "23", "D4": "18", "D5": "18", "D6": "9", "D7": "4"}


@dataclass
class RoundStory:
    """Plays the moves of one round in order; each step goes no further than it says."""

    enterprise: Caller
    officer: Caller
    round_id: str
    experts: list[str]
    day: date
    today: date
    pace: int = 3
    told: Callable[[str, Any], None] = lambda move, answer: None
    files: dict[str, str] = field(default_factory=dict)
    measures: list[str] = field(default_factory=list)

    def disclose_and_start(self, institution: str | None = None) -> None:
        """First disclosure within a month, start within two (清洁生产审核办法 第十一、十二条)."""
        self._move("disclose", channel="企业官网", url="https://firm.example/disclosure", disclosed_on=self._next())
        way: dict[str, Any] = {"service_mode": "self", "ability_proof": self._file("ability")}
        if institution is not None:
            way = {"service_mode": "institution", "institution": institution, "contract": self._file("contract")}
        self._move("start", **way, leader="总经理", started_on=self._next())

    def audit(self) -> None:
        """Phases 1 to 5 with two measures, one cheap and done, one large and feasible."""
        for phase in ("P1_PREPARATION", "P2_PRE_AUDIT", "P3_AUDIT"):
            self._phase(phase)
        cheap = self._measure("更换高效喷嘴", "A3", "20000.00")
        large = self._measure("烟气余热回收改造", "A2", "1800000.00")
        self._change(cheap, screen_result="candidate", status="done")
        self._change(large, screen_result="candidate")
        self._phase("P4_GENERATION")
        self._change(large, technical_ok=True, environmental_ok=True, economic_ok=True)
        self._phase("P5_DETERMINATION")

    def report(self) -> None:
        """The report, within a year of publication (第十七条)."""
        self._move("submit-report", report=self._file("report"), submitted_on=self._next(), summary="审核报告")

    def evaluation(self, share: str = "0.95") -> None:
        """Application, panel of three, sheets; a share above nine tenths passes directly."""
        from decimal import Decimal

        self._move("apply-evaluation", applied_on=self._next())
        self._decide("accept-application", panel=self.experts)
        scores = {item: str((Decimal(points) * Decimal(share)).quantize(Decimal("0.1"))) for item, points in SHEET.items()}
        sheets = [{"expert": expert, "scores": scores} for expert in self.experts]
        self._decide("record-evaluation", sheets=sheets, vetoes=[], opinion="程序规范。", decided_on=self._next())

    def implement(self) -> None:
        """The medium and high-cost measures, phases 6 and 7, the application for acceptance."""
        self._move("begin-implementation", plan="按方案实施", begun_on=self._next())
        self._change(self.measures[1], status="done")
        for phase in ("P6_IMPLEMENTATION", "P7_CONTINUOUS"):
            self._phase(phase)
        named = ("acceptance_report", "monitoring_before", "monitoring_after")
        self._move("apply-acceptance", **{n: self._file(n) for n in named}, applied_on=self._next())

    def acceptance(self, document_no: str, level: str = "II", scores: dict[str, str] | None = None) -> Any:
        """The officer's decision; sixty points without a veto pass."""
        self._decide("accept-application")
        given = {"scores": scores or ACCEPTANCE, "vetoes": [], "level": level}
        return self._decide("record-acceptance", **given, accepted_on=self._next(), document_no=document_no)

    def _next(self) -> str:
        self.day = min(self.day + timedelta(days=self.pace), self.today)
        return self.day.isoformat()

    def _move(self, move: str, **body: Any) -> Any:
        answer = self.enterprise.move(self.round_id, move, **body)
        self.told(move, answer)
        return answer

    def _decide(self, move: str, **body: Any) -> Any:
        answer = self.officer.move(self.round_id, move, **body)
        self.told(move, answer)
        return answer

    def _phase(self, phase: str) -> None:
        products = [{"kind": kind, "data": {"note": "示例"}} for kind in PRODUCTS[phase]]
        self._move("complete-phase", phase=phase, products=products, completed_on=self._next())

    def _file(self, purpose: str) -> str:
        if purpose not in self.files:
            content = PDF + purpose.encode()
            made = self.enterprise.upload("/audits/v1/files", f"{purpose}.pdf", content)
            self.files[purpose] = made["id"]
        return self.files[purpose]

    def _measure(self, name: str, aspect: str, cost: str) -> str:
        body = {"name": name, "aspect": aspect, "cost_cny": cost}
        made = self.enterprise.post(f"/audits/v1/rounds/{self.round_id}/measures", body)
        self.measures.append(made["id"])
        return str(made["id"])

    def _change(self, measure: str, **changes: Any) -> None:
        place = f"/audits/v1/rounds/{self.round_id}/measures/{measure}"
        self.enterprise.patch(place, changes, self.enterprise.get(place)["version"])
