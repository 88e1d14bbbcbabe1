"""The golden cases that lie beside a rule set: facts, a day, and the answer it must give."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from services.incentives.engine.decide import Decision, decide
from services.incentives.engine.facts import Facts, facts_from_api, public_facts
from services.incentives.engine.model import RuleSet, TableError


@dataclass(frozen=True)
class GoldenFailure:
    """A case whose answer is another one: which, in what, expected and found."""

    case: str
    what: str
    expected: Any
    found: Any


def run_golden(rule_set: RuleSet) -> list[GoldenFailure]:
    """Every case that fails; a rule set may be published only if there is none."""
    return [failure for case in rule_set.golden for failure in check_case(rule_set, case)]


def check_case(rule_set: RuleSet, case: dict[str, Any]) -> list[GoldenFailure]:
    """Compare what the case states: outcome always, and rules, amounts, missing, clauses where given."""
    decision = decide_case(rule_set, case)
    found = {
        "outcome": decision.outcome,
        "rules": [reason["rule"] for reason in decision.reasons],
        "clauses": [reason["clause"] for reason in decision.reasons],
        "missing": [f"{item['fact']}:{item['code']}" for item in decision.missing],
        "amounts": decision.amounts,
    }
    failures = []
    for what, expected in case["expect"].items():
        actual = found[what]
        if what == "amounts" and expected is not None and actual is not None:
            actual = {key: actual[key] for key in expected}
        if actual != expected:
            failures.append(GoldenFailure(case["id"], what, expected, actual))
    return failures


def decide_case(rule_set: RuleSet, case: dict[str, Any]) -> Decision:
    """The decision of a case; TableError if its facts are not readable."""
    facts = facts_from_api(case["facts"], (*public_facts(), *rule_set.facts))
    if not isinstance(facts, Facts):
        raise TableError(f"{rule_set.id} golden case {case['id']}: {facts[0].pointer} {facts[0].text.en}")
    as_of = case["as_of"] if isinstance(case["as_of"], date) else date.fromisoformat(case["as_of"])
    return decide(rule_set, facts, as_of)
