"""A JSON number where a decimal string is expected counts as what was written, or not at all."""

import json
from typing import Any

import pytest

from shared.numbers import as_written


@pytest.mark.parametrize(
    ("sent", "text"),
    [("20", "20"), ("-3", "-3"), ("0.05", "0.05"), ("13650.0", "13650"), ("20.5", "20.5"), ("1e-7", "0.0000001"), ("1e5", "100000")],
)
def test_a_number_is_the_decimal_that_was_written(sent: str, text: str) -> None:
    assert as_written(json.loads(sent)) == text


@pytest.mark.parametrize("sent", ["0.1234567890123456789", "1e300", "NaN", "Infinity", "1" + "0" * 200])
def test_a_number_that_lost_its_digits_stays_what_it_is(sent: str) -> None:
    given = json.loads(sent)
    assert as_written(given) is given


@pytest.mark.parametrize("given", [True, None, "20.50", [1], {"value": 1}])
def test_what_is_no_number_stays_what_it_is(given: Any) -> None:
    assert as_written(given) is given
