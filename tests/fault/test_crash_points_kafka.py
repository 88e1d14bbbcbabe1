"""Kill -9 between any two steps, on Kafka: started again, everything ends as if nothing had happened."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.client import until
from infra.home import SERVICE_NAMES
from infra.receiver import Receiver
from shared.crashpoints import CRASH_POINTS
from tests.broker import Broker
from tests.fault.crashes import armed_instance, listening, lose_and_double_nothing
from tests.instances import Instance

pytestmark = pytest.mark.kafka


@pytest.fixture(scope="module")
def instance(broker: Broker) -> Iterator[Instance]:
    with armed_instance(CLEANPROD_BUS="kafka", CLEANPROD_KAFKA=broker.servers) as started:
        yield started


@pytest.fixture(scope="module")
def hook(instance: Instance) -> Iterator[Receiver]:
    with listening(instance) as receiver:
        yield receiver


@pytest.mark.parametrize("point", sorted(CRASH_POINTS))
def test_a_crash_there_loses_nothing_and_doubles_nothing(instance: Instance, hook: Receiver, point: str) -> None:
    lose_and_double_nothing(instance, hook, point)


def running() -> dict[int, tuple[str, int]]:
    """The name and the parent of every process that has not ended."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, fields = stat.read_text().partition("(")[2].rpartition(")")
        except (FileNotFoundError, ProcessLookupError):
            continue
        state, parent, *_ = fields.split()
        if state != "Z":
            found[int(stat.parent.name)] = name, int(parent)
    return found


def children(parent: int) -> list[int]:
    """The processes of the product that a process has forked."""
    return [pid for pid, (name, forked_by) in running().items() if forked_by == parent and "postgres" not in name]


def test_a_worker_is_started_again_and_no_instance_lives_on_without_the_keeper_of_its_workers(
    instance: Instance,
) -> None:
    assert instance.process is not None
    (keeper,) = children(instance.process.pid)
    until(lambda: len(children(keeper)) == len(SERVICE_NAMES), 30, "the workers")
    first, *others = children(keeper)
    os.kill(first, signal.SIGKILL)
    until(lambda: len({*children(keeper)} - {first}) == len(SERVICE_NAMES), 30, "another worker in its place")
    workers = children(keeper)
    assert {*workers} > {*others}
    os.kill(keeper, signal.SIGKILL)
    assert instance.wait_end() == 0, instance.log()
    assert not set(workers) & set(running())
    instance.start()
