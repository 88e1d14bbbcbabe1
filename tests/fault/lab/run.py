"""One run: a lab, a load, a nemesis, a check; its record, its seed, and what to keep when it fails."""

import json
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shared.crashpoints import CRASH_POINTS
from tests.fault.lab.checker import Checker, Report
from tests.fault.lab.history import History
from tests.fault.lab.load import Load, World
from tests.fault.lab.nemesis import FAULTS, Nemesis, crash_at
from tests.fault.lab.topology import Lab, running_lab

AHEAD = 3  # how far the load may run before the next fault, in steps between two faults: a slow fault is no more load
INVARIANTS = tuple(f"I{n}" for n in range(1, 11))


@dataclass(frozen=True)
class Plan:
    """What a run does; with its seed it does the same again, as far as processes can."""

    bus: str
    seed: int
    campaigns: int
    faults: int
    threads: int = 4
    kills: bool = False  # nothing but kill -9, at a random moment and at every crash point in turn
    between: int = 25  # operations between two faults
    named: tuple[str, ...] = ()  # these faults in this order, rather than a schedule
    forked: bool = False  # processes that start without the wait for their imports

    @property
    def command(self) -> str:
        kind = f"--kills {self.faults}" if self.kills else f"--faults {self.faults}"
        kind = f"--named {','.join(self.named)}" if self.named else kind
        load = f"--between {self.between} --campaigns {self.campaigns}"
        return f"python -m tests.fault.chaos --bus {self.bus} --seed {self.seed} {kind} {load}"


@dataclass
class Record:
    """What a run came to."""

    plan: Plan
    reports: list[Report] = field(default_factory=list)
    faults: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def held(self) -> bool:
        return bool(self.reports) and all(report.held for report in self.reports)

    @property
    def broken(self) -> dict[str, int]:
        found = {name: sum(len(r.violations.get(name, ())) for r in self.reports) for name in INVARIANTS}
        return {name: count for name, count in found.items() if count}

    def document(self, day: str) -> dict[str, Any]:
        """A line of runs.jsonl."""
        return {
            "day": day, "bus": self.plan.bus, "seed": self.plan.seed, "mode": "kills" if self.plan.kills else "chaos",
            "faults": dict(sorted(self.faults.items())), "checks": len(self.reports), "broken": self.broken,
            "sizes": self.reports[-1].sizes if self.reports else {}, "seconds": round(self.seconds),
        }  # fmt: skip


class Broken(AssertionError):
    """An invariant did not hold: the seed, the command that repeats it, the folder that is kept."""


def run(plan: Plan, say: Callable[[str], None] = print) -> Record:
    """The record of a plan that held; else as `play`."""
    record = Record(plan)
    play(plan, record, say)
    return record


def play(plan: Plan, record: Record, say: Callable[[str], None] = print) -> None:
    """Play the plan; raises `Broken` with everything needed to look into it. `record` says how far it came."""
    say(f"seed {plan.seed} on {plan.bus}: {plan.command}")
    began = time.monotonic()
    with running_lab(plan.bus, forked=plan.forked) as lab:
        try:
            _play(lab, plan, record, say)
        except Exception as error:
            error.add_note(f"seed {plan.seed}; again with: {plan.command}; kept: {lab.folder}")
            raise
        finally:
            record.seconds = time.monotonic() - began
            _keep_received(lab, lab.folder / "received.jsonl")


def _play(lab: Lab, plan: Plan, record: Record, say: Callable[[str], None]) -> None:
    history = History(lab.folder / "history.jsonl")
    world = World(lab, history, plan.seed)
    world.prepare()
    load = Load(world, plan.campaigns, plan.threads)
    nemesis = Nemesis(world, random.Random(plan.seed), begin=load.another)
    record.faults = nemesis.counts
    checker = Checker(lab, world)
    load.start()
    points = sorted(CRASH_POINTS)
    for number, name in enumerate(_names(plan, nemesis)):
        history.allowed = history.done + AHEAD * plan.between
        if not _goes_on(load, history, plan.between):
            load.more(plan.threads)
        say(f"  {number + 1:3} {name}: {FAULTS[name].what}")
        if plan.kills and name == "crash-point":
            crash_at(nemesis, points[number // 2 % len(points)])
            nemesis.counts[name] = nemesis.counts.get(name, 0) + 1
        else:
            nemesis.strike(name)
        if load.complaints:
            break
        if plan.kills and number % 10 == 9 and number + 1 < plan.faults:
            _check(load, checker, nemesis, record, say)
            load.more(plan.threads)
    _check(load, checker, nemesis, record, say)


def _names(plan: Plan, nemesis: Nemesis) -> list[str]:
    if plan.named:
        return list(plan.named)
    if plan.kills:
        return [("kill", "crash-point")[n % 2] for n in range(plan.faults)]
    return nemesis.schedule(plan.faults)


def _goes_on(load: Load, history: History, operations: int) -> bool:
    """Whether the load has done so many operations more; False where it has come to its end."""
    goal = history.done + operations
    while history.done < goal:
        if not load.running:
            return False
        time.sleep(0.02)
    return True


def _check(load: Load, checker: Checker, nemesis: Nemesis, record: Record, say: Callable[[str], None]) -> None:
    checker.world.history.allowed = sys.maxsize
    load.stop()
    checker.poison = nemesis.poison
    report = checker.check(load.complaints)
    record.reports.append(report)
    say(f"  checked: {'all held' if report.held else str(report)} {report.sizes} {report.seconds}")
    if not report.held:
        raise Broken(str(report))


def _keep_received(lab: Lab, file: Path) -> None:
    with file.open("w", encoding="utf-8") as out:
        for receipt in list(lab.receiver.received):
            line = {"at": receipt.at, "headers": receipt.headers, "body": receipt.body.decode("utf-8", "replace")}
            out.write(json.dumps(line, ensure_ascii=False) + "\n")
