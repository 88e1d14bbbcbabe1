"""The procedure's forms: phases with their products, score sheets, vetoes."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any

from services.audits.policy import LawDataError, read
from shared.problems import Text


@dataclass(frozen=True)
class Phase:
    """One of the seven phases (清洁生产审核办法 第十四条) and the kinds of product it needs."""

    code: str
    order: int
    name: Text
    min_products: tuple[str, ...]


@dataclass(frozen=True)
class SheetItem:
    """A line of a score sheet and the most it can give."""

    code: str
    points: Decimal
    name: Text


@dataclass(frozen=True)
class Sheet:
    """A score sheet; the points of its items make its total."""

    id: str
    version: str
    status: str
    confidence: str
    basis: str
    total: Decimal
    items: tuple[SheetItem, ...]

    def __post_init__(self) -> None:
        if (found := sum(item.points for item in self.items)) != self.total:
            raise LawDataError(f"{self.id}: the items make {found}, not {self.total}")
        if len({item.code for item in self.items}) != len(self.items):
            raise LawDataError(f"{self.id}: an item is there twice")

    def item(self, code: str) -> SheetItem | None:
        """The line of a code, None when the sheet has none."""
        return next((item for item in self.items if item.code == code), None)


@dataclass(frozen=True)
class EvaluationSheet(Sheet):
    """附表1: below `fail_below` fails, above `direct_pass_above` passes; both bounds are between."""

    fail_below: Decimal
    direct_pass_above: Decimal
    round_to: Decimal


@dataclass(frozen=True)
class AcceptanceSheet(Sheet):
    """附表3: passes at `pass_at_or_above` or more, without a veto."""

    pass_at_or_above: Decimal


@dataclass(frozen=True)
class Veto:
    """A finding that fails whatever the score."""

    code: str
    confidence: str
    name: Text


@cache
def phases() -> tuple[Phase, ...]:
    """The seven phases in order."""
    found = tuple(
        Phase(item["code"], item["order"], Text(**item["name"]), tuple(item["min_products"]))
        for item in read("phases.yaml")["phases"]
    )
    if [phase.order for phase in found] != list(range(1, len(found) + 1)):
        raise LawDataError("phases.yaml: the phases are out of order")
    return found


def phase(code: str) -> Phase:
    """The phase of a code; KeyError when there is none."""
    for found in phases():
        if found.code == code:
            return found
    raise KeyError(code)


@cache
def evaluation_sheet() -> EvaluationSheet:
    """The sheet that each expert of an evaluation fills; LawDataError when its points do not make its total."""
    data = read("evaluation_sheet.yaml")
    return EvaluationSheet(
        **_sheet(data),
        fail_below=Decimal(data["bands"]["fail_below"]),
        direct_pass_above=Decimal(data["bands"]["direct_pass_above"]),
        round_to=Decimal(data["round_to"]),
    )


@cache
def acceptance_sheet() -> AcceptanceSheet:
    """The sheet of an acceptance; LawDataError when its points do not make its total."""
    data = read("acceptance_sheet.yaml")
    return AcceptanceSheet(**_sheet(data), pass_at_or_above=Decimal(data["pass_at_or_above"]))


def _sheet(data: Mapping[str, Any]) -> dict[str, Any]:
    items = tuple(SheetItem(i["code"], Decimal(i["points"]), Text(**i["name"])) for i in data["items"])
    said = {name: data[name] for name in ("id", "version", "status", "confidence", "basis")}
    return {**said, "total": Decimal(data["total"]), "items": items}


@cache
def acceptance_vetoes() -> Mapping[str, Veto]:
    """The vetoes of an acceptance by code."""
    return _vetoes("acceptance")


@cache
def evaluation_vetoes() -> Mapping[str, Veto]:
    """The vetoes of an evaluation by code."""
    return _vetoes("evaluation")


def _vetoes(stage: str) -> Mapping[str, Veto]:
    listed = read("vetoes.yaml")[stage]
    return {item["code"]: Veto(item["code"], item["confidence"], Text(**item["name"])) for item in listed}
