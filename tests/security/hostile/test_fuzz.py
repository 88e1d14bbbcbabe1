"""No request, whoever sends it, is a failure of ours: never 5xx, every refusal a problem document, answers as promised."""

import os
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from tests.security.hostile.fuzz import EXAMPLES, broken, operations, requests_to, send
from tests.security.hostile.stock import Stock

OPERATIONS: dict[str, Any] = operations()
LONG = "CLEANPROD_FUZZ_EXAMPLES" in os.environ


def order(name: str) -> tuple[bool, str]:
    """By name, but what takes away what others need comes last."""
    return name.startswith("DELETE") or name.endswith(("/revoke", "/withdraw", "/publish", "/cancel")), name


NAMES = sorted(OPERATIONS, key=order)


@pytest.mark.parametrize("name", NAMES)
def test_no_request_is_a_failure_of_ours(
    name: str, stock: Stock, record_property: Callable[[str, object], None]
) -> None:
    operation, seen = OPERATIONS[name], Counter[int]()

    @settings(
        max_examples=EXAMPLES,
        derandomize=not LONG,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(requests_to(operation, stock))
    def holds(request: tuple[Any, str, tuple[bytes, str] | None]) -> None:
        case, role, odd = request
        if (round_id := (case.path_parameters or {}).get("round_id")) in stock.ids["round_id"] and name.startswith("P"):
            stock.prepare(case.operation.path, round_id)
        answer = send(stock, case, role, odd)
        seen[answer.status_code] += 1
        assert not broken(case, answer), (role, odd)

    holds()
    record_property("cases", sum(seen.values()))
    print(f"{name}: {sum(seen.values())} cases, {dict(sorted(seen.items()))}")
