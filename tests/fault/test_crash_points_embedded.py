"""Kill -9 between any two steps, embedded: started again, everything ends as if nothing had happened."""

from collections.abc import Iterator

import pytest

from infra.receiver import Receiver
from shared.crashpoints import CRASH_POINTS
from tests.fault.crashes import armed_instance, listening, lose_and_double_nothing
from tests.instances import Instance

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def instance() -> Iterator[Instance]:
    with armed_instance() as started:
        yield started


@pytest.fixture(scope="module")
def hook(instance: Instance) -> Iterator[Receiver]:
    with listening(instance) as receiver:
        yield receiver


@pytest.mark.parametrize("point", sorted(CRASH_POINTS))
def test_a_crash_there_loses_nothing_and_doubles_nothing(instance: Instance, hook: Receiver, point: str) -> None:
    lose_and_double_nothing(instance, hook, point)
