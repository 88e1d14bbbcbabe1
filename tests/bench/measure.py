"""Figures and how they are taken: floor and ours in turns, medians, ratios."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Scale:
    """How much of everything: the whole run or the quick one."""

    quick: bool

    def of(self, whole: int, quick: int) -> int:
        return quick if self.quick else whole


@dataclass(frozen=True)
class Figure:
    """One line of the table. `target` bounds the ratio from below, or from above where `at_most`; None: no target."""

    name: str
    ours: float
    floor: float | None
    unit: str
    target: float | None = None
    at_most: bool = False
    note: str = ""

    @property
    def ratio(self) -> float | None:
        return self.ours / self.floor if self.floor else None

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None where there is nothing to compare."""
        value = self.ratio if self.floor is not None else self.ours
        if self.target is None or value is None:
            return None
        return value <= self.target if self.at_most else value >= self.target

    def cells(self) -> list[str]:
        """Name, ours, floor, ratio, target, verdict: as they are printed."""
        sign = "≤" if self.at_most else "≥"
        wanted = "" if self.target is None else f"{sign} {_shown(self.target)}"
        floor = "" if self.floor is None else f"{_shown(self.floor)} {self.unit}"
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}"
        verdict = {True: "met", False: "MISSED", None: ""}[self.met]
        return [self.name, f"{_shown(self.ours)} {self.unit}", floor, ratio, wanted, verdict]


def _shown(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def in_turns(rounds: int, *measures: Callable[[], float]) -> list[float]:
    """Take every measure once per round, one after another, and give the median of each: noise hits all alike."""
    taken: list[list[float]] = [[] for _ in measures]
    for number in range(rounds):
        order = range(len(measures)) if number % 2 == 0 else reversed(range(len(measures)))
        for place in order:
            taken[place].append(measures[place]())
    return [median(values) for values in taken]


def quantile(values: Sequence[float], share: float) -> float:
    """The value that `share` of them do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
