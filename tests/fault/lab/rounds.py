"""A round as chance has it: the straight way, or one with supplements, failures, new audits, standstills and an early end."""

import random
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from infra.audit_story import PRODUCTS, RoundStory
from infra.credentials import uscc_of
from tests.fault.lab.caller import LabCaller
from tests.fault.lab.topology import TODAY

DEPTHS = ("listed", "started", "reported", "evaluated", "accepted")
PASSED, COMPLETED, FAILED = "0.95", "0.80", "0.50"  # shares of the points: directly, with a supplement, not at all
POOR = {"D1": "4", "D2": "4", "D3": "10", "D4": "8", "D5": "8", "D6": "4", "D7": "2"}
STANDSTILL, EARLY_END = 0.12, 0.2  # how often


@dataclass
class Round(RoundStory):
    """Plays a round as deep as it is told, by the turns that chance takes."""

    province: LabCaller = field(kw_only=True)
    chance: random.Random = field(kw_only=True)
    carried_out: set[str] = field(default_factory=set, kw_only=True)

    def play(self, depth: str) -> None:
        for step in DEPTHS[1 : DEPTHS.index(depth) + 1]:
            {"started": self._begin, "reported": self._audit, "evaluated": self._evaluate, "accepted": self._accept}[
                step
            ]()
            if step != "accepted" and self.chance.random() < STANDSTILL:
                self._stand_still()
        if depth != "accepted" and self.chance.random() < EARLY_END:
            self.province.move(self.round_id, "cancel", reason="示例关停")

    def _begin(self) -> None:
        self.disclose_and_start(uscc_of("institution") if self.chance.random() < 0.5 else None)

    def _audit(self) -> None:
        self.audit()
        self.report()

    def _evaluate(self) -> None:
        share = self.chance.choice((PASSED, PASSED, COMPLETED, COMPLETED, FAILED))
        self.evaluation(share)
        if share == FAILED or (share == COMPLETED and not self._supplement()):
            self._move("reaudit")
            self._audit_anew()

    def _supplement(self) -> bool:
        """Passed at once, after one return, or not at all: the second is the last."""
        for result in self.chance.choice((("ok",), ("return", "ok"), ("return", "fail"))):
            self._move("submit-supplement", report=self._file("supplement"), submitted_on=self._next())
            state = self._decide("recheck", result=result, decided_on=self._next())["state"]
        return bool(state == "eval_passed")

    def _audit_anew(self) -> None:
        """From phase 2 on, with the measures that are there, to an evaluation that passes."""
        for phase in list(PRODUCTS)[1:5]:
            self._phase(phase)
        self.report()
        self.evaluation(PASSED)

    def _accept(self) -> None:
        self.implement()
        poor = self.chance.choice((0, 0, 1, 2))
        for attempt in range(poor):
            self.acceptance(self._document(attempt), scores=POOR)
            if attempt == 0:
                due_on = (TODAY + timedelta(days=60)).isoformat()
                self._decide("order-rectification", due_on=due_on, reason="示例整改")
                self._move("reapply", applied_on=self._next())
        if poor == 2:
            self._decide("order-reaudit", reason="示例")
            self._audit_anew()
            self.implement()
        self.acceptance(self._document(poor), self.chance.choice(("I", "II")))

    def _change(self, measure: str, **changes: Any) -> None:
        """A measure that was carried out before a new audit is not carried out again."""
        if measure not in self.carried_out:
            super()._change(measure, **changes)
        if changes.get("status") == "done":
            self.carried_out.add(measure)

    def _document(self, attempt: int) -> str:
        return f"环验示例{self.round_id[:8]}-{attempt}号"

    def _stand_still(self) -> None:
        self._decide("suspend", reason="示例停产")
        self._decide("resume", reason="示例复产")
