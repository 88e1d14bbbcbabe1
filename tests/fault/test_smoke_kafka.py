"""The smoke lane on a real Kafka: a load of real journeys, a fault of every kind, every invariant computed."""

import os

import pytest

from tests.broker import why_not
from tests.fault.lab.run import Plan, run

pytestmark = [pytest.mark.kafka, pytest.mark.slow]
NAMED = (
    "kill", "broker-kill", "crash-point", "broker-partition", "database-reset", "replay", "poison", "pause",
    "caller-deaf",
)  # fmt: skip


def test_nothing_is_lost_doubled_or_leaked_while_everything_fails_once() -> None:
    if (reason := why_not()) and not os.environ.get("CI"):
        pytest.skip(reason)
    record = run(Plan("kafka", seed=4306, campaigns=3, faults=len(NAMED), threads=3, between=8, named=NAMED, forked=True))
    assert record.held, record.reports
    assert record.reports[-1].sizes["unknown"], "the faults were felt"
