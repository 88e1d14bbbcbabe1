"""The populated province, one per test process, and the sizes of the matrices in the terminal summary."""

from collections import Counter
from collections.abc import Iterator

import pytest

from infra.system import with_environment
from tests.conftest import Cluster
from tests.integration.notifications.receivers import running_receiver
from tests.security.world import World, populated

MATRIX = "matrix "


@pytest.fixture(scope="session")
def _populated(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, dict[str, str]]]:
    with running_receiver() as receiver, populated(cluster, tmp_path_factory.mktemp("world"), receiver.url) as found:
        yield found


@pytest.fixture
def world(_populated: tuple[World, dict[str, str]]) -> Iterator[World]:
    """The province, for tests that leave it as it was: its environment is there only while such a test runs."""
    found, environment = _populated
    with with_environment(environment):
        yield found


class Sizes(Counter[str]):
    """How much a test has tried, by name; shown in sum over all tests when they have run."""


@pytest.fixture
def sizes(record_property: object) -> Iterator[Sizes]:
    found = Sizes()
    yield found
    for name, count in found.items():
        record_property(MATRIX + name, count)  # type: ignore[operator]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The sizes, as the tests counted them."""
    total: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, count in getattr(report, "user_properties", []):
                if report.when == "teardown" and name.startswith(MATRIX):
                    total[name.removeprefix(MATRIX)] += count
    if total:
        terminalreporter.section("security matrix")
        for name in sorted(total):
            terminalreporter.write_line(f"{total[name]:>8,}  {name}")
