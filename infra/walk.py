"""The README's walk along one event: eight stops, each a link to the line where it happens."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
BEGIN, END = "<!-- eight stops -->", "<!-- end of the walk -->"


@dataclass(frozen=True)
class Stop:
    """A place in the code, found by the text of its line."""

    path: str
    line: str
    name: str
    what: str


STOPS = (
    Stop("services/audits/routes/moves.py", "def record_acceptance(", "record_acceptance", "parses the officer's decision; the checks in the contract's order stand in its `dependencies`"),
    Stop("services/audits/actions/acceptance.py", "def record_acceptance(", "record_acceptance", "scores, vetoes, level; moves the round and tells `AcceptanceRecorded`"),
    Stop("services/audits/models/rounds.py", "def move(", "AuditRound.move", "checks `MOVES`, raises the version, returns the event"),
    Stop("shared/messaging/outbox.py", "def emit(", "emit", "stores the envelope in the same transaction; it commits, the officer gets 200, and `relay` takes it on"),
    Stop("shared/messaging/kafka.py", "def _consume(", "KafkaBus", "topic `audits.events`, key = the enterprise; embedded it is `PostgresBus.poll`"),
    Stop("shared/messaging/inbox.py", "def deliver(", "deliver", "every handler once per event, with its effect in one transaction"),
    Stop("services/notifications/handlers.py", "def append_to_log(", "append_to_log", "the next number of the outward log, and a delivery for every subscription that may see it"),
    Stop("services/notifications/dispatcher.py", "async def _attempt(", "_attempt", "signs, posts, records; the next event of that enterprise waits for this one"),
)  # fmt: skip


def line_of(stop: Stop) -> int:
    """Where the stop is now; ValueError when the line is gone."""
    for number, text in enumerate((ROOT / stop.path).read_text(encoding="utf-8").splitlines(), 1):
        if text.strip().startswith(stop.line):
            return number
    raise ValueError(f"{stop.path} has no line {stop.line!r}")


def table() -> str:
    """The eight stops as the README shows them."""
    rows = ["| # | where | what happens |", "|---|---|---|"]
    for number, stop in enumerate(STOPS, 1):
        rows.append(f"| {number} | [`{stop.name}`]({stop.path}#L{line_of(stop)}) | {stop.what} |")
    return "\n".join(rows)


def rewrite() -> None:
    """Set the README's links to where the stops are now."""
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    between = re.compile(re.escape(BEGIN) + ".*" + re.escape(END), re.S)
    readme.write_text(between.sub(lambda _: f"{BEGIN}\n{table()}\n{END}", text), encoding="utf-8")
