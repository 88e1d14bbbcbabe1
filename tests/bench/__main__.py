"""`make bench`: every figure beside its floor, in one run; python -m tests.bench [--quick | --large] [--only NAME ...].

Writes bench/RESULTS.md; the large run (growth to a million enterprises) bench/RESULTS-large.md.
Nothing here is asserted as time: the ratios are for people to read.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared import logs
from shared.events import load_catalogue
from shared.messaging.kafka import KafkaBus
from tests.bench import decisions, deliveries, events, gateway, growth, imports, latency, machine, reads, tiers
from tests.bench.measure import Figure, Scale
from tests.bench.stage import ROOT, laboratory, running_instance
from tests.broker import running_broker, why_not

RESULTS = ROOT / "bench" / "RESULTS.md"
RESULTS_LARGE = ROOT / "bench" / "RESULTS-large.md"
HEADS = ["figure", "ours", "floor", "ratio", "target", ""]
NAMES = ("decisions", "deliveries", "events", "reads", "gateway", "latency", "tiers", "imports", "kafka", "growth")


class Report:
    """Prints figures as they come and keeps them for the file."""

    def __init__(self) -> None:
        self.figures: list[Figure] = []
        self.about: list[tuple[str, str]] = []
        self._began = time.monotonic()

    def show(self, figures: list[Figure]) -> None:
        for figure in figures:
            self.figures.append(figure)
            name, *cells = figure.cells()
            columns = "".join(f"{cell:>16}" for cell in cells)
            sys.stdout.write(f"{name:<62}{columns}{'   ' + figure.note if figure.note else ''}\n")
        sys.stdout.flush()

    def write(self, target: Path, run: str) -> None:
        lines = ["# Speed, beside its floors", "", _INTRODUCTION, ""]
        lines += [f"- {name}: {value}" for name, value in self.about]
        lines += [f"- run: {run}, {time.monotonic() - self._began:.0f} s", ""]
        lines += [_row(HEADS), _row(["---"] + ["---:"] * 4 + ["---"]), *(_row(f.cells()) for f in self.figures)]
        lines += ["", *(f"{figure.name}: {figure.note}" for figure in self.figures if figure.note)]
        target.parent.mkdir(exist_ok=True)
        target.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")
        sys.stdout.write(f"written to {target.relative_to(ROOT)}\n")


_INTRODUCTION = (
    "Written by `make bench`. Ours and its floor are measured in turns within the same run; each number is the median"
    " of its rounds. Only the ratios mean anything from one machine to another."
)


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="about a minute instead of four")
    parser.add_argument("--large", action="store_true", help="growth alone, to a million enterprises; some twenty minutes")
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES, help="some of the figures; nothing is written")
    wanted = parser.parse_args()
    logs.setup("ERROR")
    load_catalogue()
    report, scale, chosen = Report(), Scale(wanted.quick), set(wanted.only)
    if wanted.large:
        _growth(report, growth.LARGE)
        return report.write(RESULTS_LARGE, "large")
    _alone(report, scale, chosen)
    _embedded(report, scale, chosen)
    if chosen & {"kafka"}:
        with _broker() as servers:
            _on_kafka(report, scale, servers)
    if "growth" in chosen:
        _growth(report, growth.SIZES[: scale.of(3, 2)])
    if chosen == set(NAMES):
        report.write(RESULTS, "quick" if wanted.quick else "whole")
    return None


def _growth(report: Report, sizes: tuple[int, ...]) -> None:
    with laboratory() as lab:
        report.about = report.about or machine.description(lab.floor_url)
        report.show(growth.figures(lab, sizes))


def _alone(report: Report, scale: Scale, chosen: set[str]) -> None:
    """What needs no running instance."""
    if "decisions" in chosen:
        report.show(decisions.figures(scale))
    if not chosen & {"deliveries", "events"}:
        return
    with laboratory() as lab:
        if "deliveries" in chosen:
            report.show(deliveries.figures(lab, scale))
        if "events" in chosen:
            report.show(events.figures(lab, scale, lab.system.bus, "embedded"))


def _embedded(report: Report, scale: Scale, chosen: set[str]) -> None:
    if not chosen & {"reads", "gateway", "latency", "tiers", "imports"}:
        return
    with running_instance() as stage:
        report.about = machine.description(stage.floor_url)
        known = reads.register(stage, 50)
        if "reads" in chosen:
            report.show(reads.figures(stage, known, scale))
        if "gateway" in chosen:
            report.show(gateway.figures(stage, known, scale))
        if "latency" in chosen:
            report.show(latency.figures(stage, known, scale))
        if "tiers" in chosen:
            report.show(tiers.figures(stage, scale))
        if "imports" in chosen:
            report.show(imports.figures(stage, scale))


def _on_kafka(report: Report, scale: Scale, servers: str) -> None:
    if not servers:
        sys.stdout.write(f"Kafka: not measured, {why_not()}\n")
        return
    with laboratory() as lab:
        report.show(events.figures(lab, scale, KafkaBus(servers), "Kafka", servers))
    with running_instance(CLEANPROD_BUS="kafka", CLEANPROD_KAFKA=servers) as stage:
        known = reads.register(stage, 50)
        report.show(latency.figures(stage, known, scale, servers))


@contextmanager
def _broker() -> Iterator[str]:
    """The address of a broker of our own; empty where none can be had."""
    if why_not():
        yield ""
        return
    with tempfile.TemporaryDirectory(prefix="cleanprod-bench-") as folder, running_broker(Path(folder)) as broker:
        yield broker.servers


if __name__ == "__main__":
    main()
