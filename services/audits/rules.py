"""Pure rules of audits: scores, bands, acceptance, validity and the days of obligations."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum

from services.audits import law
from services.audits.sheets import Sheet, acceptance_sheet, evaluation_sheet
from shared.calendar import Due, LegalCalendar, add_months, calendar, next_fixed_date
from shared.problems import Text

_DECIMAL = re.compile(r"-?[0-9]{1,9}(?:\.[0-9]{1,9})?")


class EvaluationBand(StrEnum):
    """What the mean score of an evaluation leads to."""

    FAIL = "fail"
    SUPPLEMENT = "supplement"
    DIRECT_PASS = "direct_pass"  # noqa: S105 (a band, not a password)


@dataclass(frozen=True)
class SheetProblem:
    """What is wrong with one line of a filled sheet.

    Codes: `item_missing`, `item_unknown`, `not_a_decimal`, `score_negative`, `score_above_points`.
    """

    item: str
    code: str
    text: Text


@dataclass(frozen=True)
class PlannedObligation:
    """A duty with its days and the clauses it rests on."""

    code: str
    nominal_on: date | None
    due_on: date | None
    provisional: bool
    legal_basis: str


def check_sheet(sheet: Sheet, scores: Mapping[str, object]) -> list[SheetProblem]:
    """Every problem of a filled sheet in the sheet's order, unknown items last; scores are decimals or their strings."""
    problems = [found for item in sheet.items if (found := _line_problem(sheet, item.code, scores))]
    for code in scores:
        if sheet.item(code) is None:
            problems.append(
                SheetProblem(code, "item_unknown", Text("评分表没有这一项。", "The sheet has no such item."))
            )
    return problems


def _line_problem(sheet: Sheet, code: str, scores: Mapping[str, object]) -> SheetProblem | None:
    item = sheet.item(code)
    assert item is not None
    if code not in scores:
        return SheetProblem(
            code, "item_missing", Text(f"缺少“{item.name.zh}”的得分。", f"No score for “{item.name.en}”.")
        )
    score = _as_decimal(scores[code])
    if score is None:
        return SheetProblem(code, "not_a_decimal", Text("得分应为十进制数字符串。", "A score is a decimal string."))
    if score < 0:
        return SheetProblem(code, "score_negative", Text("得分不能为负。", "A score is not negative."))
    if score > item.points:
        most = Text(f"得分不能超过该项满分 {item.points}。", f"The item gives {item.points} points at most.")
        return SheetProblem(code, "score_above_points", most)
    return None


def _as_decimal(value: object) -> Decimal | None:
    if isinstance(value, str):
        return Decimal(value) if _DECIMAL.fullmatch(value) else None
    return value if isinstance(value, Decimal) and value.is_finite() else None


def sheet_total(scores: Mapping[str, str | Decimal]) -> Decimal:
    """The sum of the scores of a sheet that `check_sheet` found right."""
    return sum((Decimal(score) for score in scores.values()), Decimal(0))


def mean_score(totals: Sequence[Decimal]) -> Decimal:
    """The arithmetic mean of the experts' totals, half-up to 0.1; ValueError without any."""
    if not totals:
        raise ValueError("an evaluation has at least one sheet")
    mean = sum(totals, Decimal(0)) / len(totals)
    return mean.quantize(evaluation_sheet().round_to, ROUND_HALF_UP)


def evaluation_band(mean: Decimal, vetoes: Collection[str]) -> EvaluationBand:
    """Below 70 or any veto: fail; 70 to 90, both included: supplement; above 90: direct pass (2018年指南)."""
    sheet = evaluation_sheet()
    if vetoes or mean < sheet.fail_below:
        return EvaluationBand.FAIL
    return EvaluationBand.DIRECT_PASS if mean > sheet.direct_pass_above else EvaluationBand.SUPPLEMENT


def acceptance_passes(total: Decimal, vetoes: Collection[str]) -> bool:
    """60 points or more and no veto (2018年指南)."""
    return not vetoes and total >= acceptance_sheet().pass_at_or_above


def valid_until(accepted_on: date) -> date:
    """The last day, included, on which an acceptance counts."""
    return add_months(accepted_on, law.policy("acceptance_validity_months", accepted_on).whole)


def plan_obligation(code: str, from_day: date, *, by: LegalCalendar | None = None) -> PlannedObligation:
    """A duty that starts on a day, by a calendar (default: the product's); ValueError for one that is due as ordered."""
    term = law.obligation(code).term(from_day)
    if term.fixed is not None:
        due = next_fixed_date(from_day, *term.fixed)
    elif term.months is not None:
        roll = law.policy("roll_to_next_working_day_if_holiday", from_day).flag
        due = (by or calendar()).due_after_months(from_day, term.months, roll=roll)
    else:
        raise ValueError(f"{code} is due as ordered")
    return _planned(code, due, from_day)


def ordered_obligation(code: str, ordered_on: date, due_on: date) -> PlannedObligation:
    """A duty whose day an order names; an ordered day does not roll."""
    return _planned(code, Due(due_on, due_on, provisional=False), ordered_on)


def obligations_for_publication(published_on: date, *, by: LegalCalendar | None = None) -> list[PlannedObligation]:
    """What the publication of a list starts for each entry.

    FIRST_DISCLOSURE, START and REPORT in months (清洁生产审核办法 第十一、十二、十七条), and ANNUAL_DISCLOSURE on the next
    15 March strictly after the publication, for the year before.
    """
    started = [duty.code for duty in law.obligations().values() if duty.trigger == "list_published"]
    return [plan_obligation(code, published_on, by=by) for code in started]


def _planned(code: str, due: Due, act_on: date) -> PlannedObligation:
    return PlannedObligation(code, due.nominal_on, due.due_on, due.provisional, law.obligation_basis(code, act_on))
