"""The smoke lane on the embedded bus: a load of real journeys, a fault of every kind, every invariant computed."""

import pytest

from tests.fault.lab.run import Plan, run

NAMED = (
    "kill", "database-reset", "crash-point", "sessions-ended", "caller-deaf", "replay", "poison", "pause",
    "postgres-crash", "secrets-rotated", "receiver-bad",
)  # fmt: skip


@pytest.mark.slow
def test_nothing_is_lost_doubled_or_leaked_while_everything_fails_once() -> None:
    record = run(Plan("embedded", seed=4302, campaigns=3, faults=len(NAMED), threads=3, between=8, named=NAMED, forked=True))
    assert record.held, record.reports
    assert record.reports[-1].sizes["unknown"], "the faults were felt"
