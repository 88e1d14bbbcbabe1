"""Traced decisions per second on one core: python tests/bench/bench_decisions.py."""

import sys
import time
from datetime import date

from services.incentives.engine import Facts, decide, facts_from_api, load_rule_sets

AS_OF = date(2026, 6, 1)
ROUNDS = 5_000
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


def main() -> None:
    rule_sets = load_rule_sets()
    facts = facts_from_api(FIRM)
    assert isinstance(facts, Facts)
    for rule_set in rule_sets:
        begun = time.perf_counter()
        for _ in range(ROUNDS):
            decide(rule_set, facts, AS_OF)
        plain = ROUNDS / (time.perf_counter() - begun)
        begun = time.perf_counter()
        for _ in range(ROUNDS):
            decision = decide(rule_set, facts, AS_OF)
            _ = decision.facts_hash, decision.result_hash
        hashed = ROUNDS / (time.perf_counter() - begun)
        sys.stdout.write(f"{rule_set.id}: {plain:,.0f} decisions/s, {hashed:,.0f} with canonical trace and hashes\n")


if __name__ == "__main__":
    main()
