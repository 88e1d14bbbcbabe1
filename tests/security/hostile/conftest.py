"""Fixtures of the hostile-input tests: one furnished province per module."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import ThreadedResolver
from aiohttp.abc import ResolveResult

from infra.parts import SERVICES
from infra.system import System, with_environment
from shared.settings import Settings
from tests.conftest import TODAY, Cluster
from tests.security.hostile.inprocess import InProcess
from tests.security.hostile.stock import Stock, furnish


@pytest.fixture(scope="module")
def stock(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stock]:
    """A furnished province; no name outside of it resolves."""
    found = cluster.copy()
    clock = Path(tmp_path_factory.mktemp("clock")) / "clock"
    clock.write_text(TODAY.isoformat())
    with with_environment(found | {"CLEANPROD_CLOCK_FILE": str(clock)}), pytest.MonkeyPatch.context() as patch:
        patch.setattr(ThreadedResolver, "resolve", _unknown)
        yield from furnished(cluster)
    cluster.drop(found["MARK"])


def furnished(cluster: Cluster) -> Iterator[Stock]:
    """A furnished province in the environment as it is."""
    system = System(SERVICES, Settings())
    line = InProcess(system.edge)
    try:
        yield furnish(Stock(system, cluster, line))
    finally:
        line.close()
        system.stop()
        system.bus._db.dispose()  # type: ignore[union-attr]


async def _unknown(
    self: ThreadedResolver, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
) -> list[ResolveResult]:
    raise socket.gaierror(socket.EAI_NONAME, "not known")
