"""Traced decisions per second on one core: every programme in turn for one firm, with its canonical trace and hashes."""

import time
from datetime import date

from services.incentives.engine import Facts, decide, facts_from_api, load_rule_sets
from tests.bench.measure import Figure, Scale, in_turns

AS_OF = date(2026, 6, 1)
FIRM = {
    "industry": "3216",
    "price_year": 2025,
    "al_kwh_per_t": "13400",
    "al_production_kwh": "1000000",
    "renewable_share_pct": "23.9",
    "province_incentive_share_pct": "20",
    "audit": {"type": "mandatory", "stage": "accepted", "accepted_on": "2024-11-20", "overdue": False},
    "credit": {"norm": 2},
    "vetoes": {f"GF_V{number}": "absent" for number in range(1, 7)},
    "provincial_green_factory": True,
    "plan_in_catalogue": True,
}


def figures(scale: Scale) -> list[Figure]:
    count = scale.of(2_000, 600)
    traced, hashed = in_turns(3, lambda: _rate(count, hashes=False), lambda: _rate(count, hashes=True))
    return [
        Figure("decisions, traced", traced, None, "/s", 10_000),
        Figure("decisions, traced, with facts and result hashed", hashed, None, "/s"),
    ]


def _rate(count: int, *, hashes: bool) -> float:
    rule_sets, facts = list(load_rule_sets()), facts_from_api(FIRM)
    assert isinstance(facts, Facts)
    began = time.perf_counter()
    for _ in range(count):
        for rule_set in rule_sets:
            decision = decide(rule_set, facts, AS_OF)
            if hashes:
                _ = decision.facts_hash, decision.result_hash
    return count * len(rule_sets) / (time.perf_counter() - began)
