"""A bank reads one enterprise's status, without a consent: authenticated, the public part."""

import os
import subprocess
import sys
from collections.abc import Sequence

from infra.client import until
from tests.bench.measure import Figure, Scale, in_turns
from tests.bench.stage import ROOT, Stage, program
from tests.data.firms import Firm, firms

CONNECTIONS = 16


def register(stage: Stage, count: int) -> list[Firm]:
    """Firms through the API, until the audits service knows them."""
    office, found = stage.callers["provincial_ecology"], list(firms(count))
    for firm in found:
        asked = {"uscc": firm.uscc, "name": firm.name, "division": firm.division, "industry": firm.industry}
        office.post("/registry/v1/enterprises", asked)
    last = f"/audits/v1/enterprises/{found[-1].uscc}/status"
    until(lambda: office.request("GET", last).status_code == 200, what="the last firm")
    return found


def figures(stage: Stage, known: Sequence[Firm], scale: Scale) -> list[Figure]:
    seconds, rounds = scale.of(3, 1), scale.of(5, 3)
    token = stage.callers["bank"].token()
    ours = [f"/audits/v1/enterprises/{firm.uscc}/status" for firm in known]
    bare = [f"/{firm.uscc}" for firm in known]
    os.environ["DATABASE_URL"] = stage.url("audits")
    with program("tests.bench.floors.status_app") as address:
        base = stage.instance.base
        floor, mine = in_turns(
            rounds, lambda: load(address, bare, seconds), lambda: load(base, ours, seconds, token)
        )
    return [Figure("status read by a bank", mine, floor, "req/s", 0.5)]


def load(base: str, paths: Sequence[str], seconds: float, token: str = "") -> float:
    command = [sys.executable, "-m", "tests.bench.load", base, str(seconds), str(CONNECTIONS), token]
    done = subprocess.run(
        command, cwd=ROOT, input="\n".join(paths), stdout=subprocess.PIPE, text=True, check=True, timeout=seconds + 30
    )
    return float(done.stdout)
