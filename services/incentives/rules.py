"""Policy of this service: the rule sets, what a fact touches, and when time alone may change a decision."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from typing import Any

from services.incentives.engine import Decision, RuleSet, RuleSets, canon, load_rule_sets
from services.incentives.engine.dates import add_months
from services.incentives.engine.tables import DATA
from shared.datafiles import read_data

FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2100, 12, 31)
VALIDITY, LOOKBACK = "audit.validity_months", "green_factory.lookback_years"


@cache
def rule_sets() -> RuleSets:
    """Every version of every programme, read once."""
    return load_rule_sets()


@cache
def sources() -> dict[str, Any]:
    """Where the facts of an evaluation come from."""
    loaded: dict[str, Any] = read_data(DATA / "fact_sources.yaml")
    return loaded


def fact_told_by(code: str) -> str | None:
    """The fact of an evaluation, or the group of facts, that a row of this code is about; None for one of no rule."""
    group = {"audit": "audit", "credit": "credit"}.get(code.split(".")[0])
    source = sources()["registry"].get(code)
    return group or (source["fact"] if source is not None else None)


@dataclass(frozen=True)
class TierPolicy:
    """Who publishes tier lists, of which programme, for which industries."""

    publishers: tuple[str, ...]
    programme: str
    industries: tuple[str, ...]
    account_fact: str
    whole_province: str
    headers: dict[str, str]


@cache
def tier_policy() -> TierPolicy:
    loaded = read_data(DATA / "tier_lists.yaml")
    loaded |= {name: tuple(loaded[name]) for name in ("publishers", "industries")}
    return TierPolicy(**loaded)


def programmes() -> tuple[str, ...]:
    return tuple(rule_sets().programmes)


def is_tariff(programme: str) -> bool:
    """A price programme: shown to utilities and never to banks."""
    return rule_sets().programmes[programme].kind == "tariff"


@cache
def touched_by(prefix: str) -> tuple[str, ...]:
    """The programmes that a fact, or a group of facts such as `audit`, is named in."""
    return tuple(
        dict.fromkeys(
            rule_set.programme
            for rule_set in rule_sets()
            for fact in rule_set.facts
            if fact.name == prefix or fact.name.startswith(prefix + ".")
        )
    )


def affected(programme: str, industry: str) -> bool:
    """Whether a decision is made unasked: a price only for the industries that can have one."""
    return not is_tariff(programme) or industry in tier_policy().industries


def content_hash(decision: Decision) -> str:
    """The same for decisions that say the same on the same grounds, whatever the day."""
    said = {
        "outcome": decision.outcome,
        "amounts": decision.amounts,
        "reasons": decision.reasons,
        "missing": decision.missing,
        "facts": decision.facts_hash,
        "rule_set": decision.rule_set.hash,
    }
    return canon.sha256(canon.dumps(said))


def next_check(decision: Decision, turns: Iterable[date]) -> date | None:
    """The next day on which time alone may change the decision: a validity or a lookback ends, a row or parameter
    changes, a price year begins, or one of `turns` (days on which a recorded fact begins or ends to hold)."""
    rule_set, today = decision.rule_set, decision.as_of
    days = [*rule_set.boundaries, *turns, *_ends(decision)]
    if any(fact.name == "price_year" for fact in rule_set.facts):
        days.append(date(today.year + 1, 1, 1))
    return min((day for day in days if day > today), default=None)


def _ends(decision: Decision) -> list[date]:
    facts, found = decision.facts, []
    months = _figure(decision.rule_set, VALIDITY, decision.as_of)
    years = _figure(decision.rule_set, LOOKBACK, decision.as_of)
    if months is not None and "audit.accepted_on" in facts:
        accepted = date.fromisoformat(facts["audit.accepted_on"])
        found.append(add_months(accepted, months) + timedelta(days=1))
    for _, occurred_on in facts.get("env_event", []) if years is not None else []:
        if occurred_on is not None:
            found.append(add_months(date.fromisoformat(occurred_on), 12 * (years or 0)) + timedelta(days=1))
    return found


def _figure(rule_set: RuleSet, name: str, day: date) -> int | None:
    param = next((p for p in rule_set.params if p.name == name), None)
    value = param.on(day) if param is not None else None
    return int(str(value.value)) if value is not None and value.usable else None
