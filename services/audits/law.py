"""The law of audits as dated data: regimes, categories, obligations, with the forms and parameters they name."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from itertools import pairwise
from typing import Any, Literal

from services.audits.policy import (
    LawDataError,
    PolicyParameter,
    is_no_low,
    measure_cost_class,
    policy,
    policy_names,
    read,
)
from services.audits.sheets import (
    AcceptanceSheet,
    EvaluationSheet,
    Phase,
    Sheet,
    SheetItem,
    Veto,
    acceptance_sheet,
    acceptance_vetoes,
    evaluation_sheet,
    evaluation_vetoes,
    phase,
    phases,
)
from shared.problems import Text

__all__ = [
    "AcceptanceSheet",
    "Category",
    "EvaluationSheet",
    "LawDataError",
    "LegalBasisStatus",
    "NoRegime",
    "ObligationLaw",
    "Phase",
    "PolicyParameter",
    "Regime",
    "Sanction",
    "Sheet",
    "SheetItem",
    "Term",
    "Veto",
    "acceptance_sheet",
    "acceptance_vetoes",
    "act_basis",
    "categories",
    "category",
    "evaluation_sheet",
    "evaluation_vetoes",
    "interval_years",
    "is_no_low",
    "legal_basis_status",
    "measure_cost_class",
    "obligation",
    "obligation_basis",
    "obligations",
    "phase",
    "phases",
    "policy",
    "policy_names",
    "regime_on",
    "regimes",
]

LegalBasisStatus = Literal["confirmed", "uncertain"]


class NoRegime(LookupError):
    """No statute of the list was in force on a day."""


@dataclass(frozen=True)
class Sanction:
    """A sanction clause: amounts in CNY, None where the clause sets no minimum."""

    code: str
    article: str
    cite: str
    order_first: bool
    fine_min_cny: Decimal | None
    fine_max_cny: Decimal | None


@dataclass(frozen=True)
class Regime:
    """A statute with the days on which acts rest on it, both included."""

    id: str
    name: Text
    effective_from: date
    effective_to: date | None
    confidence: str
    mandatory_categories: tuple[str, ...]
    sanctions: Mapping[str, Sanction]

    def in_force(self, day: date) -> bool:
        return self.effective_from <= day and (self.effective_to is None or day <= self.effective_to)


@dataclass(frozen=True)
class Category:
    """A ground of mandatory audit; `basis` is article and status by regime, a regime left out carries it not at all."""

    code: str
    name: Text
    words: tuple[str, ...]
    lead: str
    max_interval_years: int | None
    confidence: str
    basis: Mapping[str, tuple[str, LegalBasisStatus]]


@dataclass(frozen=True)
class Term:
    """When a duty is due: months after its trigger, a fixed date of each year, or as ordered (neither)."""

    months: int | None = None
    fixed: tuple[int, int] | None = None


@dataclass(frozen=True)
class ObligationLaw:
    """What a duty is: its trigger, its term and its sanction by regime (None: legal review)."""

    code: str
    name: Text
    trigger: str
    confidence: str
    sanctions: Mapping[str, str]
    raw_term: Mapping[str, Any]

    def term(self, day: date) -> Term:
        """The term in force on the day of the trigger."""
        raw = self.raw_term
        if "policy_months" in raw:
            return Term(months=policy(raw["policy_months"], day).whole)
        if "policy_years" in raw:
            return Term(months=12 * policy(raw["policy_years"], day).whole)
        if "fixed" in raw:
            month, _, of_month = raw["fixed"].partition("-")
            return Term(fixed=(int(month), int(of_month)))
        return Term(months=raw.get("months"))


@cache
def regimes() -> tuple[Regime, ...]:
    """The statutes in order of time; LawDataError when they overlap."""
    found = tuple(sorted((_regime(r) for r in read("legal_regimes.yaml")["regimes"]), key=lambda r: r.effective_from))
    for earlier, later in pairwise(found):
        if earlier.effective_to is None or earlier.effective_to >= later.effective_from:
            raise LawDataError(f"legal_regimes.yaml: {earlier.id} and {later.id} overlap")
    return found


def _regime(item: Mapping[str, Any]) -> Regime:
    return Regime(
        id=item["id"],
        name=Text(**item["name"]),
        effective_from=item["effective_from"],
        effective_to=item["effective_to"],
        confidence=item["confidence"],
        mandatory_categories=tuple(item["mandatory_basis"]["categories"]),
        sanctions={s["code"]: _sanction(s) for s in item["sanctions"]},
    )


def _sanction(item: Mapping[str, Any]) -> Sanction:
    least, most = (None if item[key] is None else Decimal(item[key]) for key in ("fine_min_cny", "fine_max_cny"))
    return Sanction(item["code"], item["article"], item["cite"], item["order_first"], least, most)


def regime_on(day: date) -> Regime:
    """The statute that an act of a day rests on; NoRegime before 2012-07-01."""
    for regime in regimes():
        if regime.in_force(day):
            return regime
    raise NoRegime(f"no clean-production statute of the list was in force on {day}")


@cache
def categories() -> Mapping[str, Category]:
    """The categories by code."""
    return {
        item["code"]: Category(
            code=item["code"],
            name=Text(**item["name"]),
            words=tuple(item["words"]),
            lead=item["lead"],
            max_interval_years=item["max_interval_years"],
            confidence=item["confidence"],
            basis={regime: (limb["article"], limb["status"]) for regime, limb in item["basis"].items()},
        )
        for item in read("categories.yaml")["categories"]
    }


def category(code: str) -> Category:
    """The category of a code; KeyError when there is none."""
    return categories()[code]


def legal_basis_status(codes: Collection[str], day: date) -> LegalBasisStatus:
    """Whether the statute of a day surely carries a listing: one sure category is enough. ValueError without any."""
    if not codes:
        raise ValueError("a listing has at least one category")
    regime = regime_on(day).id
    found = [category(code).basis.get(regime, ("", "uncertain"))[1] for code in codes]
    return "confirmed" if "confirmed" in found else "uncertain"


def interval_years(codes: Collection[str], day: date) -> int:
    """The most years between two rounds: the shortest of the categories, by policy where the law sets none."""
    default = policy("interval_years", day).whole
    return min((category(code).max_interval_years or default for code in codes), default=default)


@cache
def _duties() -> Mapping[str, Any]:
    data: Mapping[str, Any] = read("obligations.yaml")
    return {kind: {item["code"]: item for item in data[kind]} for kind in ("obligations", "acts")}


@cache
def obligations() -> Mapping[str, ObligationLaw]:
    """The duties by code, in file order."""
    return {
        code: ObligationLaw(
            code=code,
            name=Text(**item["name"]),
            trigger=item["trigger"],
            confidence=item["confidence"],
            sanctions=item["sanctions"],
            raw_term=item["term"],
        )
        for code, item in _duties()["obligations"].items()
    }


def obligation(code: str) -> ObligationLaw:
    """The duty of a code; KeyError when there is none."""
    return obligations()[code]


def obligation_basis(code: str, day: date) -> str:
    """The clauses a duty rests on for an act of a day: the administrative rule, then the statute then in force."""
    return _citation(_duties()["obligations"][code], day)


def act_basis(code: str, day: date) -> str:
    """The same for an authority's act: `LIST_PUBLICATION`, `EVALUATION`, `ACCEPTANCE`, `FEE_BAN`."""
    return _citation(_duties()["acts"][code], day)


def _citation(item: Mapping[str, Any], day: date) -> str:
    regime = regime_on(day)
    article = item["statutes"].get(regime.id)
    parts = [item["measures"], f"{regime.name.zh} {article}" if article else None]
    return "；".join(part for part in parts if part)
