"""The facts of an evaluation out of what was told of an enterprise: pure, so that a decision can be made again."""

import json
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from services.incentives import rules
from services.incentives.engine import FactProblem, Facts, facts_from_api
from services.incentives.engine.dates import add_months
from services.incentives.models import ACCEPTANCE, CREDIT, ENTERPRISE, ENTRY, OBLIGATION, ROUND, Told

BOOLS = {"true": True, "false": False, "是": True, "否": False}
NO_EVENT = frozenset({"none", "absent", "无", "false"})


def assemble(known: Sequence[Told], day: date, price_year: int) -> dict[str, Any]:
    """The body that `facts_from_api` reads; `known` in the order of recording. What nobody told is not in it."""
    body: dict[str, Any] = {
        "price_year": price_year,
        "data_year": price_year + rules.sources()["data_year_offset"],
        "audit": _audit(known, day),
        "credit": _credit(known, day),
    }
    _add_registry_facts(body, known, day)
    _add_enterprise(body, known, day)
    return body


def evaluated(known: Sequence[Told], day: date, price_year: int) -> Facts:
    """The same as the engine takes it."""
    body = assemble(known, day, price_year)
    found = facts_from_api(body)
    if isinstance(found, list):
        found = facts_from_api(without_problems(body, found))
    assert isinstance(found, Facts), "what is wrong was taken out"
    return found


def turns(known: Iterable[Told]) -> list[date]:
    """The days on which a fact begins to hold or no longer holds."""
    days = [fact.valid_from for fact in known]
    ended = (fact.valid_to for fact in known if fact.valid_to is not None and fact.valid_to < rules.LAST_DAY)
    return days + [date.fromordinal(day.toordinal() + 1) for day in ended]


def without_problems(body: dict[str, Any], problems: Iterable[FactProblem]) -> dict[str, Any]:
    """The body without values that are not what the fact model says: they decide nothing, so they are unknown."""
    for problem in problems:
        _drop(body, problem)
    return body


def _drop(body: dict[str, Any], problem: FactProblem) -> None:
    first, *rest = problem.pointer.strip("/").split("/")
    if rest and isinstance(body.get(first), dict):
        body[first].pop(rest[0], None)
    else:
        body.pop(first, None)


def value_on(known: Sequence[Told], code: str, day: date) -> str | None:
    """The text of a registry fact that holds on a day: the one recorded last."""
    held = [fact for fact in known if fact.code == code and fact.holds_on(day)]
    return str(held[-1].value["value"]) if held else None


def _add_registry_facts(body: dict[str, Any], known: Sequence[Told], day: date) -> None:
    for code, source in rules.sources()["registry"].items():
        if source["fact"] is None:
            continue
        if source["counts"] == "events":
            found: Any = _events(known, code, day)
        else:
            text = None
            if source["counts"].startswith("data_year"):
                text = _of_year(known, code, body["data_year"])
            if text is None and source["counts"] != "data_year":
                text = value_on(known, code, day)
            found = None if text is None else BOOLS.get(text.lower(), text)
        if found is not None:
            group, _, name = source["fact"].rpartition(".")
            (body.setdefault(group, {}) if group else body)[name] = found


def _of_year(known: Sequence[Told], code: str, year: int) -> str | None:
    first, last = date(year, 1, 1), date(year, 12, 31)
    mine = [f for f in known if f.code == code and f.valid_from <= last and (f.valid_to is None or f.valid_to >= first)]
    if not mine:
        return None
    return value_on(mine, code, max(min(f.valid_to or last, last) for f in mine))


def _events(known: Sequence[Told], code: str, day: date) -> list[Any] | None:
    by_day = {fact.valid_from: fact for fact in known if fact.code == code and fact.valid_from <= day}
    if not by_day:
        return None
    return [event for fact in by_day.values() for event in _told(str(fact.value["value"]), fact.valid_from)]


def _told(text: str, day: date) -> list[dict[str, Any]]:
    if text.lower() in NO_EVENT:
        return []
    if text[:1] in "[{":
        try:
            given = json.loads(text)
        except ValueError:
            given = {}
        items = given if isinstance(given, list) else [given]
        return [{"occurred_on": day.isoformat(), **item} for item in items if isinstance(item, dict)]
    return [{"severity": text, "occurred_on": day.isoformat()}]


def _add_enterprise(body: dict[str, Any], known: Sequence[Told], day: date) -> None:
    told = [fact.value for fact in known if fact.code == ENTERPRISE]
    if not told:
        return
    newest = max(told, key=lambda value: value["version"])
    if newest["industry"]:
        body["industry"] = newest["industry"]
    ended = newest["deregistered_on"]
    if newest["status"] == "deregistered" and (ended is None or ended <= day.isoformat()):
        body.setdefault("vetoes", {})["GF_V1"] = "present"


def _credit(known: Sequence[Told], day: date) -> dict[str, Any]:
    """The grade that holds: of the latest evaluation year, the province's before the city's, as published and corrected last."""
    held = {
        (f.value["evaluation_year"], f.value["level"] == "province", f.valid_from): f.value["norm"]
        for f in known
        if f.code == CREDIT and f.valid_from <= day
    }
    return {"norm": held[max(held)]} if held else {}


def _audit(known: Sequence[Told], day: date) -> dict[str, Any]:
    """Type, stage and result of the latest round that was not cancelled; no round at all is known: `none`."""
    told = [f for f in known if f.code in (ROUND, ENTRY, ACCEPTANCE, OBLIGATION) and f.valid_from <= day]
    rounds = _rounds(told)
    found: dict[str, Any] = {"type": "none", "stage": "none", "overdue": False}
    if rounds:
        found = _round(next(reversed(rounds.values())))
        found["overdue"] = any(_overdue(facts) for facts in rounds.values())
    since = add_months(day, -rules.sources()["fraud_lookback_months"])
    accepted = [f for facts in rounds.values() for f in facts if f.code == ACCEPTANCE]
    if any(f.value["fraud"] and f.valid_from >= since for f in accepted):
        found["fraud"] = True
    return found


def _rounds(told: Sequence[Told]) -> dict[str, list[Told]]:
    """What was told of each round, in the order of their beginning; cancelled ones are left out."""
    rounds: dict[str, list[Told]] = {}
    for fact in told:
        rounds.setdefault(fact.value["round"], []).append(fact)
    return {round_: facts for round_, facts in rounds.items() if _stages(facts)[-1:] != ["cancelled"]}


def _stages(facts: Sequence[Told]) -> list[str]:
    """The stages of a round: a list entry only opens one, its withdrawal ends it."""
    entries = [f.value["stage"] for f in facts if f.code == ENTRY]
    if entries and entries[-1] == "cancelled":
        return ["cancelled"]
    return entries[:1] + [f.value["stage"] for f in facts if f.code in (ROUND, ACCEPTANCE)]


def _round(facts: Sequence[Told]) -> dict[str, Any]:
    stages = _stages(facts)
    found: dict[str, Any] = {"stage": stages[-1]} if stages else {}
    tracks = [f.value["track"] for f in facts if f.value.get("track")]
    if tracks:
        found["type"] = tracks[-1]
    results = [f for f in facts if f.code == ACCEPTANCE]
    if results and results[-1].value["stage"] == "accepted":
        found["accepted_on"] = results[-1].valid_from.isoformat()
        if results[-1].value["level"]:
            found["level"] = results[-1].value["level"]
    return found


def _overdue(facts: Sequence[Told]) -> bool:
    """Whether a duty that makes the audit itself overdue is overdue, in a round that is mandatory by now."""
    tracks = [f.value["track"] for f in facts if f.value.get("track")]
    counted = rules.sources()["overdue_duties"]
    states = {f.value["duty"]: f.value["state"] for f in facts if f.code == OBLIGATION and f.value["duty"] in counted}
    return tracks[-1:] != ["voluntary"] and "overdue" in states.values()
