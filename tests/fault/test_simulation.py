"""Seeds of the whole product on one thread: whatever is repeated, delayed or crashes, the end is the same."""

import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence

import pytest
import sqlalchemy as sa
from sqlmodel import Session

from services.registry.actions import ledger
from shared import http
from shared.db import Database
from shared.events import Envelope
from shared.messaging import inbox, outbox
from tests.conftest import Cluster
from tests.fault.simulation import world as world_module
from tests.fault.simulation.run import SeedFailed, play, world_on
from tests.fault.simulation.world import POINTS, World

pytestmark = pytest.mark.slow
SEEDS = 40
ENOUGH = 25  # a checker that needs more seeds than this to see a broken product is not worth its lane


@pytest.fixture(scope="module")
def world(cluster: Cluster) -> Iterator[World]:
    with world_on(cluster) as found:
        yield found


def test_nothing_is_lost_doubled_or_out_of_order_whatever_happens(
    world: World, record_property: Callable[[str, object], None]
) -> None:
    events = 0
    for seed in range(1, SEEDS + 1):
        ended = play(world, seed)
        if ended.wrong:
            raise SeedFailed(ended)
        events += sum(line.startswith("bus ") for line in ended.trace)
    told = f"{SEEDS} seeds, {events} events, {world.crashed.total()} crashes at {len(world.crashed)} of {len(POINTS)} points"
    record_property("simulation", told)
    print(told)
    assert world.passed.keys() == set(POINTS), "a history comes by every point"


def test_the_same_seed_gives_the_same_trace(world: World) -> None:
    first = [play(world, seed) for seed in (3, 4, 5)]
    again = [play(world, seed) for seed in (5, 4, 3)][::-1]
    assert [e.trace for e in first] == [e.trace for e in again]
    assert len({e.mark for e in first}) == 3


def test_the_command_in_a_failure_repeats_it_in_a_process_of_its_own(world: World) -> None:
    ended = play(world, 9)  # one in which the product has something to say
    told = str(SeedFailed(ended)).split("\n")[0].split(": ")[1]
    assert told == "python -m tests.fault.simulation --seeds 1 --from 9"
    done = subprocess.run([sys.executable, *told.split()[1:]], capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == ended.mark
    assert (done.stderr, len(done.stdout.splitlines())) == ("", 1), "it says its own, and nothing of what it broke"


def first_failure(world: World) -> list[str]:
    """What the checker says of the first seed that it finds wrong."""
    for seed in range(1, ENOUGH + 1):
        if wrong := play(world, seed).wrong:
            return wrong
    return []


def every_time(tx: Session, pairs: Sequence[tuple[str, Envelope]]) -> set[tuple[str, str]]:
    return {(name, str(e.id)) for name, e in pairs}


def skipping_failures(settler: inbox.Settler, records: Sequence[bytes]) -> None:
    """An inbox that drops the last event of a batch of three or more."""
    kept = records[:-1] if len(records) > 2 else records
    envelopes = [Envelope.model_validate_json(record) for record in kept]
    inbox.deliver(envelopes, settler.handlers, settler.db)


def backwards(db: Database, bus: outbox.Publisher, batch: int = 500) -> int:
    class Reversed:
        def publish(self, envelopes: Sequence[Envelope]) -> None:
            bus.publish(envelopes[::-1])

    return outbox.relay(db, Reversed(), batch)


def marked_before_it_left(db: Database, bus: outbox.Publisher, batch: int = 500) -> int:
    """A relay that marks first and publishes then."""
    with db.begin() as tx:
        query = sa.text(
            "UPDATE outbox SET published_at = now() WHERE published_at IS NULL RETURNING envelope, position"
        )
        rows = sorted(tx.execute(query), key=lambda row: row.position)
    outbox.crash_point("relay.before_publish")
    bus.publish([Envelope.model_validate(row.envelope) for row in rows])
    outbox.crash_point("relay.after_publish")
    outbox.crash_point("relay.after_mark")
    return len(rows)


def after_the_commit(unit: http.Unit) -> None:
    """A request whose transaction never commits, though its answer says so, every ninth time."""
    COMMITS.append(unit)
    if len(COMMITS) % 9 and unit._session is not None:
        unit._session.commit()


def no_key(*_: object) -> http.Claim:
    """Idempotency keys that nobody looks at."""
    return http.Claim()


COMMITS: list[http.Unit] = []
BROKEN: dict[str, tuple[object, str, object]] = {
    "an inbox that has an effect every time": (inbox, "_first_time", every_time),
    "a consumer that drops an event": (inbox.Settler, "settle", skipping_failures),
    "a relay that publishes backwards": (world_module, "relay", backwards),
    "a relay that marks before it publishes": (world_module, "relay", marked_before_it_left),
    "an answer before the commit": (http.Unit, "commit", after_the_commit),
    "a request that is done again": (http, "claim", no_key),
    "a consumer that parks nothing": (inbox.Settler, "_parked", lambda settler, subjects: set()),
    "a ledger with a hole": (ledger, "GENESIS", "1" * 64),
}


@pytest.mark.parametrize("what", sorted(BROKEN))
def test_the_checker_sees(world: World, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    target, name, instead = BROKEN[what]
    monkeypatch.setattr(target, name, instead)
    assert first_failure(world), f"{what} was not seen in {ENOUGH} seeds"
