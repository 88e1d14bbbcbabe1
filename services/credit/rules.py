"""Which regime and which grade: pure policy on the data file of regimes."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from services.credit.models import CreditRecord
from shared.datafiles import read_data

DATA = Path(__file__).parent / "data" / "regimes.yaml"
LEVELS = ("province", "city")


@dataclass(frozen=True)
class Regime:
    """A set of grades and the evaluation years that it covers."""

    id: str
    document: str
    first_year: int
    last_year: int | None
    grades: dict[str, int]

    def covers(self, year: int) -> bool:
        return self.first_year <= year and (self.last_year is None or year <= self.last_year)


@cache
def _data() -> dict[str, Any]:
    loaded: dict[str, Any] = read_data(DATA)
    return loaded


@cache
def regimes() -> tuple[Regime, ...]:
    return tuple(
        Regime(r["id"], r["document"], r["years"][0], r["years"][1], dict(r["grades"])) for r in _data()["regimes"]
    )


def regime_of(year: int) -> Regime | None:
    """The regime of an evaluation year; None where none is known."""
    return next((regime for regime in regimes() if regime.covers(year)), None)


def input_rule(kind: str) -> dict[str, str]:
    """What an audit outcome counts for, why, and on what basis."""
    rule: dict[str, str] = _data()["inputs"][kind]
    return rule


def grade_on(records: Iterable[CreditRecord], day: date) -> CreditRecord | None:
    """The record that holds on a day: published by then, of the latest evaluation year; province before city.

    Give each publication (year, level, day) once, as it was known. A result holds until the next one and is never back-dated.
    """
    published = [record for record in records if record.published_on <= day]
    return max(published, key=lambda r: (r.evaluation_year, r.level == "province", r.published_on), default=None)
