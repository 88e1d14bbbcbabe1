"""A bus with the contract of PostgresBus and KafkaBus, and every liberty that the contract leaves it."""

import random
from collections import defaultdict
from collections.abc import Callable, Sequence

from shared.crashpoints import crash_point
from shared.events import Envelope
from shared.messaging.outbox import BusUnavailable

Lane = tuple[str, str]  # topic, subject: order holds within one, and nowhere else
AWAY, TWICE, BACK = 0.05, 0.1, 0.2


class SeededBus:
    """Keeps every record; delays, repeats, goes back after a crash, mixes subjects; never reorders one subject."""

    def __init__(self, chance: random.Random, trace: list[str]) -> None:
        self._chance, self._trace = chance, trace
        self.lanes: dict[Lane, list[bytes]] = defaultdict(list)
        self._settled: dict[tuple[str, Lane], int] = defaultdict(int)
        self.calm = False

    def publish(self, envelopes: Sequence[Envelope]) -> None:
        """Take all, or be away: with nothing taken, or with a part of it."""
        away = not self.calm and self._chance.random() < AWAY
        taken = envelopes[: self._chance.randint(0, len(envelopes))] if away else envelopes
        for envelope in taken:
            self.lanes[envelope.topic, envelope.subject].append(envelope.model_dump_json().encode())
            self._trace.append(f"bus {envelope.type} {envelope.id}")
        if away:
            self._trace.append("bus away")
            raise BusUnavailable("away")

    def poll(self, group: str, topics: Sequence[str], settle: Callable[[Sequence[bytes]], None]) -> int:
        """Settle some of what waits; the offsets move when all of it is settled. How much waited."""
        waiting = [lane for lane in self.lanes if lane[0] in topics and self._left(group, lane)]
        if not waiting:
            return 0
        chosen = waiting if self.calm else self._chance.sample(waiting, self._chance.randint(1, len(waiting)))
        until = {lane: self._until(group, lane) for lane in chosen}
        records = self._mixed({lane: self._taken(group, lane, until[lane]) for lane in chosen})
        self._trace.append(f"poll {group} {len(records)}")
        crash_point("consumer.before_settle")
        settle(records)
        crash_point("consumer.after_settle")
        for lane, position in until.items():
            self._settled[group, lane] = position
        crash_point("consumer.after_offset")
        return len(records)

    def lag(self, group: str, topics: Sequence[str]) -> int:
        """Records that the group has not settled."""
        return sum(self._left(group, lane) for lane in self.lanes if lane[0] in topics)

    def rewind(self) -> None:
        """Every group goes back to the beginning, as after its offsets are lost."""
        self._settled.clear()

    def _left(self, group: str, lane: Lane) -> int:
        return len(self.lanes[lane]) - self._settled[group, lane]

    def _until(self, group: str, lane: Lane) -> int:
        left = self._left(group, lane)
        return self._settled[group, lane] + (left if self.calm else self._chance.randint(1, left))

    def _taken(self, group: str, lane: Lane, until: int) -> list[bytes]:
        first = self._settled[group, lane]
        if not self.calm and self._chance.random() < BACK:
            first = self._chance.randint(0, first)
        taken = self.lanes[lane][first:until]
        return taken if self.calm else [r for r in taken for _ in range(1 + (self._chance.random() < TWICE))]

    def _mixed(self, lanes: dict[Lane, list[bytes]]) -> list[bytes]:
        order = [lane for lane, records in lanes.items() for _ in records]
        self._chance.shuffle(order)
        rest = {lane: iter(records) for lane, records in lanes.items()}
        return [next(rest[lane]) for lane in order]
