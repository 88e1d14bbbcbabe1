"""One meaning, one hash, in every process."""

import json
import os
import subprocess
import sys
from datetime import date
from decimal import Decimal

import pytest

from services.incentives.engine import Facts, decide, load_rule_sets
from services.incentives.engine.canon import dumps, plain_decimal

PRINT_HASHES = """
from datetime import date
from services.incentives.engine import decide, load_rule_sets
from services.incentives.engine.golden import decide_case
for rule_set in load_rule_sets():
    print(rule_set.id, rule_set.hash)
    for case in rule_set.golden:
        decision = decide_case(rule_set, case)
        print(case["id"], decision.facts_hash, decision.result_hash)
"""


def hashes_in_another_process(seed: str) -> str:
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    command = [sys.executable, "-c", PRINT_HASHES]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


def test_hashes_are_the_same_in_processes_with_other_hash_seeds() -> None:
    first = hashes_in_another_process("1")
    assert len(first.splitlines()) > 100
    assert first == hashes_in_another_process("4242")


def test_the_canonical_bytes_are_the_canonical_form_of_the_document() -> None:
    for rule_set in load_rule_sets():
        for facts in (Facts({}), Facts({"credit.norm": 2, "vetoes.GF_V1": "present", "env_event": (("一般", None),)})):
            decision = decide(rule_set, facts, date(2026, 6, 1))
            assert decision.canonical().decode() == dumps(decision.document())
            assert json.loads(decision.canonical())["trace"] == decision.trace


def test_equal_numbers_have_one_text_and_floats_have_none() -> None:
    assert {plain_decimal(Decimal(text)) for text in ("13450", "13450.00", "1.345E4")} == {"13450"}
    assert plain_decimal(Decimal("-0.0")) == "0"
    with pytest.raises(TypeError):
        dumps({"a": [0.1]})


def test_composed_and_decomposed_text_are_the_same() -> None:
    assert dumps({"e\u0301": "e\u0301"}) == dumps({"\u00e9": "\u00e9"})


def test_a_change_of_any_part_is_another_hash() -> None:
    rule_set = load_rule_sets().rule_set_on("tariff.al", date(2025, 1, 1))
    row, param = rule_set.rows[0], rule_set.params[0]
    others = [
        rule_set.altered(version=2),
        rule_set.altered(rows=rule_set.rows[1:]),
        rule_set.altered(rows=(row.model_copy(update={"fixity": "LAW"}), *rule_set.rows[1:])),
        rule_set.altered(params=(param.model_copy(update={"unit": "t"}), *rule_set.params[1:])),
        rule_set.altered(clauses=()),
    ]
    assert len({rule_set.hash, *(other.hash for other in others)}) == 6
    assert rule_set.altered().hash == rule_set.hash


def test_facts_a_table_does_not_name_do_not_change_its_facts_hash() -> None:
    rule_set = load_rule_sets().rule_set_on("tariff.al", date(2025, 1, 1))
    plain = decide(rule_set, Facts({"price_year": 2025}), date(2025, 1, 1))
    with_more = decide(rule_set, Facts({"credit.norm": 5, "price_year": 2025}), date(2025, 1, 1))
    assert with_more.facts_hash == plain.facts_hash
    assert decide(rule_set, Facts({"price_year": 2024}), date(2025, 1, 1)).facts_hash != plain.facts_hash
