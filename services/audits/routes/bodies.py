"""What the moves of a round carry."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BeforeValidator, Field

from shared.http import Body
from shared.numbers import as_written

Score = Annotated[str, BeforeValidator(as_written), Field(max_length=20, examples=["3"])]
Scores = Annotated[dict[str, Score], Field(max_length=40)]
Money = Annotated[Decimal, Field(ge=0, max_digits=16, decimal_places=2, examples=["20000.00"])]
Words = Annotated[str, Field(max_length=2000)]
Level = Literal["I", "II", "III", "BELOW", "NO_INDEX_SYSTEM"]
PhaseCode = Literal[
    "P1_PREPARATION",
    "P2_PRE_AUDIT",
    "P3_AUDIT",
    "P4_GENERATION",
    "P5_DETERMINATION",
    "P6_IMPLEMENTATION",
    "P7_CONTINUOUS",
]


class Disclose(Body):
    """Where and when the first disclosure was made."""

    channel: str = Field(min_length=1, max_length=200, examples=["企业官网"])
    url: str = Field(min_length=1, max_length=500)
    disclosed_on: date


class StartRound(Body):
    """Whether the enterprise audits itself or with an institution, and the file that proves it may."""

    service_mode: Literal["self", "institution"]
    institution: str | None = Field(None, min_length=1, max_length=40)
    contract: UUID | None = None
    ability_proof: UUID | None = None
    leader: str = Field(min_length=1, max_length=200)
    started_on: date


class PhaseProduct(Body):
    """A product of a phase: a file, or data, or both."""

    kind: str = Field(min_length=1, max_length=60, examples=["balance"])
    file: UUID | None = None
    data: Any = None


class CompletePhase(Body):
    """A phase with its products."""

    phase: PhaseCode
    products: list[PhaseProduct] = Field(max_length=100)
    completed_on: date


class SubmitReport(Body):
    """The audit report, or its supplement."""

    report: UUID | None = None
    submitted_on: date
    summary: str | dict[str, Any] = ""


class ApplyEvaluation(Body):
    """The day of the application."""

    applied_on: date


class AcceptApplication(Body):
    """For an evaluation: the panel of experts, odd, three or more; for an acceptance: nothing."""

    panel: list[UUID] = Field([], max_length=50)


class ReturnApplication(Body):
    """What is incomplete."""

    reason: Words = ""


class ExpertSheet(Body):
    """One expert's points for all items, as decimal strings."""

    expert: UUID
    scores: Scores


class RecordEvaluation(Body):
    """The panel's sheets, vetoes and opinion. A fee above zero is refused."""

    sheets: list[ExpertSheet] = Field(max_length=50)
    vetoes: list[str] = Field([], max_length=20)
    opinion: str = ""
    decided_on: date
    fee_charged_to_enterprise: Money = Decimal(0)


class Recheck(Body):
    """What the authority finds in the supplement."""

    result: Literal["ok", "return", "fail"]
    decided_on: date


class BeginImplementation(Body):
    """The plan of the medium-cost and high-cost measures: words, data, or a file id."""

    plan: str | dict[str, Any] | None = None
    begun_on: date


class ApplyAcceptance(Body):
    """The papers of the application, as file ids."""

    acceptance_report: UUID | None = None
    monitoring_before: UUID | None = None
    monitoring_after: UUID | None = None
    applied_on: date


class RecordAcceptance(Body):
    """The sheet, the vetoes, and the level or what it is computed from."""

    scores: Scores
    vetoes: list[str] = Field([], max_length=20)
    index_system: str | None = Field(None, max_length=100)
    indicators: dict[str, Any] = Field(default_factory=dict)
    params: dict[str, Any] = Field(default_factory=dict)
    decision_rule: str | None = Field(None, max_length=100)
    product_mix: dict[str, Any] | None = None
    level: Level | None = None
    accepted_on: date
    document_no: str = Field(min_length=1, max_length=100)


class OrderRectification(Body):
    """What is to be put right, by when."""

    due_on: date
    reason: Words = ""


class Reapply(Body):
    """New papers, where there are any, and the day."""

    acceptance_report: UUID | None = None
    monitoring_before: UUID | None = None
    monitoring_after: UUID | None = None
    applied_on: date | None = None


class Reason(Body):
    """Why."""

    reason: Words = ""
