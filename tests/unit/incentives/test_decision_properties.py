"""What holds for every set of facts: knowing more never turns one answer into another."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.incentives.engine import Facts, decide, load_rule_sets
from services.incentives.engine.facts import public_facts
from services.incentives.engine.model import FactSpec

DAYS = st.dates(date(2020, 1, 1), date(2030, 1, 1))
RULE_SETS = tuple(load_rule_sets())
INTERESTING: dict[str, list[Any]] = {
    "industry": ["3216", "3011"],
    "audit.stage": ["accepted", "closed", "listed", "accept_failed"],
    "price_year": [2021, 2022, 2023, 2024, 2025],
    "al_kwh_per_t": [Decimal(text) for text in ("13300", "13300.1", "13450", "13451", "13650", "13671")],
    "renewable_share_pct": [Decimal(text) for text in ("0", "15", "15.1", "16", "30")],
    "province_incentive_share_pct": [Decimal(text) for text in ("10", "16", "31")],
    "al_production_kwh": [Decimal(0), Decimal(1000)],
    "data_year": [2022, 2024],
}


def values_of(spec: FactSpec) -> st.SearchStrategy[Any]:
    if spec.name in INTERESTING:
        return st.sampled_from(INTERESTING[spec.name])
    if spec.type == "bool":
        return st.booleans()
    if spec.type == "int":
        return st.integers(int(spec.minimum or 0), int(spec.maximum or 9))
    if spec.type == "date":
        return DAYS
    severities = st.sampled_from(list(spec.codes)) if spec.codes else st.none()
    return st.lists(st.tuples(severities, DAYS), max_size=2).map(tuple) if spec.type == "events" else severities


WORLDS = st.fixed_dictionaries({spec.name: values_of(spec) for spec in public_facts()})
HIDDEN = st.sets(st.sampled_from([spec.name for spec in public_facts()]))


@settings(max_examples=400, deadline=None)
@given(world=WORLDS, hidden=HIDDEN, as_of=DAYS)
def test_knowing_more_never_turns_a_decided_outcome_into_another(
    world: dict[str, Any], hidden: set[str], as_of: date
) -> None:
    # Facts with a default are known by law of the table: hiding one would change what is known, not how much.
    hidden -= {fact.name for rule_set in RULE_SETS for fact in rule_set.facts if fact.default is not None}
    known = {name: value for name, value in world.items() if name not in hidden}
    for rule_set in RULE_SETS:
        less, more = (decide(rule_set, Facts(values), as_of) for values in (known, world))
        if less.outcome != "manual_review":
            assert more.outcome == less.outcome
        else:
            assert less.missing or more.outcome == "manual_review"


@settings(max_examples=200, deadline=None)
@given(world=WORLDS, hidden=HIDDEN, as_of=DAYS)
def test_only_facts_that_are_really_absent_are_called_missing(
    world: dict[str, Any], hidden: set[str], as_of: date
) -> None:
    known = {name: value for name, value in world.items() if name not in hidden}
    for rule_set in RULE_SETS:
        decision = decide(rule_set, Facts(known), as_of)
        named = {item["fact"] for item in decision.missing if item["code"] == "FACT_MISSING"}
        assert named <= hidden
        assert decision.outcome == "manual_review" or not decision.missing
        assert decision.reasons


@settings(max_examples=200, deadline=None)
@given(world=WORLDS, as_of=DAYS)
def test_with_every_fact_known_only_a_rule_or_a_parameter_makes_a_review(world: dict[str, Any], as_of: date) -> None:
    for rule_set in RULE_SETS:
        decision = decide(rule_set, Facts(world), as_of)
        assert {item["code"] for item in decision.missing} <= {"PARAM_UNCONFIRMED"}
        if rule_set.kind == "tariff":
            assert decision.outcome in ("surcharge", "not_applicable")


@settings(max_examples=200, deadline=None)
@given(world=WORLDS, hidden=HIDDEN, as_of=DAYS)
def test_the_same_facts_give_the_same_bytes(world: dict[str, Any], hidden: set[str], as_of: date) -> None:
    known = {name: value for name, value in world.items() if name not in hidden}
    backwards = dict(reversed(list(known.items())))
    for rule_set in RULE_SETS:
        first, again = (decide(rule_set, Facts(values), as_of) for values in (known, backwards))
        assert first.canonical() == again.canonical()


@given(accepted=DAYS, after=st.integers(-40, 40))
def test_an_audit_counts_until_sixty_months_after_acceptance(accepted: date, after: int) -> None:
    rule_set = next(r for r in RULE_SETS if r.id == "green_factory.province").altered(since=None)
    limit_day = 28 if (accepted.month, accepted.day) == (2, 29) and (accepted.year + 5) % 4 else accepted.day
    limit = date(accepted.year + 5, accepted.month, limit_day)
    as_of = limit + timedelta(days=after)
    facts = {"audit.type": "voluntary", "audit.stage": "accepted", "audit.accepted_on": accepted}
    decision = decide(rule_set, Facts(facts), as_of)
    slot = decision.program.names.index("audit_valid")
    assert decision.values[slot] is (after <= 0)
