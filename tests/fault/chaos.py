"""`python -m tests.fault.chaos`: the long lane. Runs until the time is up, keeps a record of each, renews the table."""

import argparse
import json
import random
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from shared import logs
from shared.clock import SHANGHAI
from tests.fault.lab.nemesis import FAULTS
from tests.fault.lab.run import INVARIANTS, Broken, Plan, Record, play
from tests.fault.lab.topology import TOPOLOGIES

HERE = Path(__file__).parent
RUNS, README = HERE / "runs.jsonl", HERE / "README.md"
BEGIN, END = "<!-- from runs.jsonl: do not edit -->", "<!-- end of the table -->"


def main(given: Sequence[str] | None = None) -> int:
    """0 when everything held, 1 when something did not."""
    asked = _arguments().parse_args(given)
    logs.setup("ERROR")
    seed = asked.seed if asked.seed is not None else random.SystemRandom().randrange(1_000_000)
    end, held = time.monotonic() + asked.minutes * 60, True
    for plan in _plans(asked, seed):
        held = _one(plan) and held
        if not held or time.monotonic() > end:
            break
    README.write_text(renewed(README.read_text(encoding="utf-8"), runs()), encoding="utf-8")
    return 0 if held else 1


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.fault.chaos", description=__doc__)
    parser.add_argument("--bus", choices=TOPOLOGIES, default="embedded")
    parser.add_argument("--minutes", type=float, default=0, help="begin another run, with the next seed, until then")
    parser.add_argument("--seed", type=int, help="of the load and of the faults (default: by chance, and printed)")
    parser.add_argument("--faults", type=int, default=24)
    parser.add_argument("--kills", type=int, default=0, help="nothing but so many kill -9, checked after every ten")
    parser.add_argument("--named", default="", help=f"these faults in this order: {', '.join(FAULTS)}")
    parser.add_argument("--between", type=int, default=25, help="operations between two faults")
    parser.add_argument("--campaigns", type=int, default=8, help="of the load; more follow while faults are left")
    return parser


def _plans(asked: argparse.Namespace, seed: int) -> Iterator[Plan]:
    named = tuple(name for name in asked.named.split(",") if name)
    count = asked.kills or len(named) or asked.faults
    while True:
        yield Plan(asked.bus, seed, asked.campaigns, count, kills=bool(asked.kills), between=asked.between, named=named)
        seed += 1


def _one(plan: Plan) -> bool:
    record = Record(plan)
    try:
        play(plan, record, _say)
    except Broken as broken:
        _say(f"{broken}\n" + "\n".join(getattr(broken, "__notes__", ())))
    with RUNS.open("a", encoding="utf-8") as file:
        day = datetime.now(SHANGHAI).date().isoformat()
        file.write(json.dumps(record.document(day), ensure_ascii=False) + "\n")
    return record.held


def _say(line: str) -> None:
    sys.stdout.write(f"{datetime.now(SHANGHAI):%H:%M:%S} {line}\n")
    sys.stdout.flush()


def runs() -> list[dict[str, Any]]:
    """Every run that was recorded."""
    return [json.loads(line) for line in RUNS.read_text(encoding="utf-8").splitlines() if line]


def table(recorded: Sequence[dict[str, Any]]) -> str:
    """What was done on each bus, how often, and what did not hold."""
    buses = [bus for bus in TOPOLOGIES if any(run["bus"] == bus for run in recorded)]
    lines = [f"| fault | | {' | '.join(buses)} |", f"|---|---|{'---|' * len(buses)}"]
    struck: dict[tuple[str, str], int] = defaultdict(int)
    for run in recorded:
        for name, count in run["faults"].items():
            struck[name, run["bus"]] += count
    for name, fault in FAULTS.items():
        cells = [str(struck[name, bus] or "") if bus in fault.buses else "–" for bus in buses]
        lines.append(f"| {fault.number} | {fault.what} | {' | '.join(cells)} |")
    points = sorted({name for run in recorded for name in run["faults"] if name.startswith("reached ")})
    for name in points:
        lines.append(f"| | {name} | {' | '.join(str(struck[name, bus] or '') for bus in buses)} |")
    for what, told in (
        ("runs", lambda of: str(len(of))),
        ("checks of all ten invariants", lambda of: str(sum(run["checks"] for run in of))),
        ("operations, of which the answer was lost", _operations),
        ("held", _held),
        ("seeds", lambda of: ", ".join(str(run["seed"]) for run in of)),
    ):
        cells = [told([run for run in recorded if run["bus"] == bus]) for bus in buses]
        lines.append(f"| | **{what}** | {' | '.join(cells)} |")
    return "\n".join(lines)


def _operations(of: Sequence[dict[str, Any]]) -> str:
    done, lost = (sum(run["sizes"].get(name, 0) for run in of) for name in ("operations", "unknown"))
    return f"{done} ({lost})"


def _held(of: Sequence[dict[str, Any]]) -> str:
    """Each invariant that did not hold, with the seeds of its runs."""
    found = [
        f"{name} broken with seed {', '.join(seeds)}"
        for name in INVARIANTS
        if (seeds := [str(run["seed"]) for run in of if name in run["broken"]])
    ]
    return "; ".join(found) or "I1–I10"


def renewed(text: str, recorded: Sequence[dict[str, Any]]) -> str:
    """The page with the table that the records give."""
    before, rest = text.split(BEGIN, 1)
    return f"{before}{BEGIN}\n{table(recorded)}\n{END}{rest.split(END, 1)[1]}"


if __name__ == "__main__":
    sys.exit(main())
