"""Seeds, one after another, on one set of databases."""

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from infra.postgres import BUS
from infra.system import with_environment
from shared.auth import TokenSigner
from tests.conftest import ISSUER, Cluster
from tests.fault.simulation.checker import Checker
from tests.fault.simulation.history import History
from tests.fault.simulation.world import World


@dataclass(frozen=True)
class Ended:
    """How one seed ended: what is wrong, and everything that happened, line by line."""

    seed: int
    wrong: list[str]
    trace: list[str]

    @property
    def mark(self) -> str:
        return hashlib.sha256("\n".join(self.trace).encode()).hexdigest()


class SeedFailed(AssertionError):
    """Names the seed and how to play it again."""

    def __init__(self, ended: Ended) -> None:
        again = f"python -m tests.fault.simulation --seeds 1 --from {ended.seed}"
        super().__init__("\n".join([f"seed {ended.seed}: {again}", *ended.wrong, *ended.trace[-40:]]))


@contextmanager
def world_on(cluster: Cluster) -> Iterator[World]:
    """A world over a fresh copy of every database, whose clock is a file of its own."""
    with tempfile.TemporaryDirectory(prefix="cleanprod-sim-") as folder:
        clock = Path(folder) / "clock"
        found = cluster.copy()
        mark = found["MARK"]
        names = [n for n in found_names(found) if n != BUS]
        with with_environment(found | {"CLEANPROD_CLOCK_FILE": str(clock)}):
            signer = TokenSigner.from_file(cluster.home.secrets / "token_key.pem", ISSUER)
            world = World(signer, clock, {n: cluster.postgres.admin_url(f"{n}_{mark}") for n in names})
            try:
                yield world
            finally:
                world.close()
                cluster.drop(mark)


def found_names(environment: dict[str, str]) -> list[str]:
    """The services whose databases an environment names."""
    ending = "_OWNER_URL"
    return [name.removesuffix(ending).lower() for name in environment if name.endswith(ending)]


def play(world: World, seed: int) -> Ended:
    """One history to its end: play, let everything arrive, look."""
    wrong: list[str] = []
    try:
        with world.begin(seed):
            told = History(world).play()
            world.drain()
            world.daily()
            world.drain()
        wrong = Checker(world, told).wrong()
    except Exception as error:
        wrong = [f"{type(error).__name__}: {error}"]
    return Ended(seed, wrong, world.trace)
