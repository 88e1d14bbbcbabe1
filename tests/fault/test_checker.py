"""Every invariant is proved able to fail: a quiet lab, one thing altered, and the checker says what."""

import random
import signal
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, cast

import httpx
import psycopg
import pytest

from infra.client import until
from infra.postgres import BUS
from infra.receiver import Received
from shared.sealing import Sealer
from tests.fault.lab import bounds, chains, deliveries, effects, leaks, rebuild, repeats, snapshot
from tests.fault.lab.caller import LabCaller
from tests.fault.lab.checker import Checker, Observed
from tests.fault.lab.history import OK, UNKNOWN, History, Seen
from tests.fault.lab.load import Load, World
from tests.fault.lab.snapshot import Snapshot
from tests.fault.lab.topology import Lab, running_lab

pytestmark = pytest.mark.slow


@dataclass
class Quiet:
    """A lab after a small load, and what is known of it."""

    lab: Lab
    world: World
    now: Snapshot
    rebuilt: Snapshot

    @property
    def ids(self) -> dict[str, str]:
        return {name: caller.identity["client_id"] for name, caller in self.world.callers.items()}

    def tampered(self, service: str, *statements: str) -> Snapshot:
        """What the checker would read if somebody had done this; it is undone at once."""
        with snapshot.connected(self.lab.postgres) as connections:
            connections[service].execute("SET LOCAL session_replication_role = replica")
            for statement in statements:
                done = connections[service].execute(statement)
                assert done.rowcount != 0, f"nothing to tamper with: {statement}"
            return snapshot.read(connections)


@pytest.fixture(scope="module")
def quiet() -> Iterator[Quiet]:
    with running_lab("embedded", forked=True) as lab:
        world = World(lab, History(lab.folder / "history.jsonl"), seed=7)
        world.prepare()
        load = Load(world, campaigns=3)
        load.start()
        until(lambda: not load.running, 120, "the load")
        report = Checker(lab, world).check(load.complaints)
        assert report.held, report
        yield Quiet(lab, world, snapshot.taken(lab.postgres), snapshot.taken(lab.postgres, suffix=rebuild.AGAIN))


Compute = Callable[[Quiet, Snapshot], list[str]]


def lost(quiet: Quiet, now: Snapshot) -> list[str]:
    sealer = Sealer.from_file(quiet.lab.home.secrets / "sealing.key")
    return effects.nothing_lost(now, quiet.world.history, sealer, quiet.ids)


def twice(quiet: Quiet, now: Snapshot) -> list[str]:
    received = list(quiet.lab.receiver.received)
    return effects.nothing_twice(now, quiet.world.history, received, quiet.world.secrets)


def whole(quiet: Quiet, now: Snapshot) -> list[str]:
    return chains.chains_whole(now)


def delivered(quiet: Quiet, now: Snapshot) -> list[str]:
    return deliveries.all_delivered(now, ())


def ordered(quiet: Quiet, now: Snapshot) -> list[str]:
    return chains.in_order(now, list(quiet.lab.receiver.received))


def converged(quiet: Quiet, now: Snapshot) -> list[str]:
    return rebuild.converged(now, quiet.rebuilt)


def stuck(quiet: Quiet, now: Snapshot) -> list[str]:
    return deliveries.nothing_stuck(now)


ONE = "ctid = (SELECT min(ctid) FROM {0}{1})"


def _one(table: str, where: str = "") -> str:
    return ONE.format(table, f" WHERE {where}" if where else "")


SWAP = (
    "UPDATE event_log SET seq = CASE seq WHEN a THEN b ELSE a END FROM ("
    " SELECT min(seq) AS a, max(seq) AS b FROM event_log WHERE type = 'audits.obligation.created.v1' GROUP BY subject"
    " HAVING count(*) > 1 LIMIT 1) s WHERE seq IN (a, b)"
)
WAIVED = "round_id IN (SELECT id FROM audit_round WHERE state = 'cancelled')"
NO_KEY = "ALTER TABLE {0} DROP CONSTRAINT {0}_pkey CASCADE"
OLD_LEASE = (
    "INSERT INTO lane (subscription_id, subject, due_at, lease_until)"
    " SELECT id, 'x', now(), now() - interval '1 hour' FROM subscription"
)
DOUBLED = "INSERT INTO {0} SELECT * FROM {0} WHERE {1}"
TAMPERS: tuple[tuple[Compute, str, tuple[str, ...], str], ...] = (
    (lost, "registry", ("DELETE FROM enterprise",), "nothing is there"),
    (lost, "registry", (f"DELETE FROM consent WHERE {_one('consent')}",), "nothing is there"),
    (lost, "audits", (f"DELETE FROM round_step WHERE {_one('round_step', chr(39).join(('move = ', 'start', '')))}",), "nothing is there"),
    (lost, "audits", (f"DELETE FROM idempotency WHERE {_one('idempotency')}",), "its key is not stored"),
    (lost, "audits", (f"UPDATE idempotency SET status = 418 WHERE {_one('idempotency')}",), "stored 418"),
    (lost, "registry", ("UPDATE enterprise_version SET address = NULL WHERE address LIKE '示例路%'",), "is in no version"),
    (twice, "credit", (NO_KEY.format("credit_record"), DOUBLED.format("credit_record", _one("credit_record"))), "has 2 effects"),
    (twice, "incentives", (f"DELETE FROM fact WHERE {_one('fact')}",), "incentives' facts"),
    (twice, "registry", (f"DELETE FROM access_entry WHERE {_one('access_entry')}",), "ledger entries"),
    (twice, "notifications", (f"DELETE FROM event_log WHERE {_one('event_log')}",), "0 in the log"),
    (twice, "notifications", ("UPDATE delivery SET id = gen_random_uuid()",), "the receiver has no trace of it"),
    (whole, "registry", ("UPDATE access_entry SET who = '别人' WHERE number = 1",), "does not fit"),
    (whole, "registry", (f"UPDATE enterprise SET version = version + 1 WHERE {_one('enterprise')}",), "its history has"),
    (whole, "audits", ("DELETE FROM round_step WHERE number = 2",), "its history is numbered"),
    (whole, "audits", ("UPDATE round_step SET to_state = 'cancelled' WHERE number = 2",), "the one before ended in"),
    (whole, "audits", (f"UPDATE audit_round SET state = 'suspended' WHERE {_one('audit_round')}",), "its history ends in"),
    (whole, "audits", (f"UPDATE audit_round SET attempt = attempt + 1 WHERE {_one('audit_round')}",), "attempt is"),
    (whole, "audits", (f"UPDATE audit_round SET supplement_round = 5 WHERE {_one('audit_round')}",), "supplement_round is"),
    (whole, "audits", ("UPDATE round_step SET move = 'resume' WHERE move = 'start'",), "it went on in"),
    (whole, "audits", (f"DELETE FROM acceptance WHERE {_one('acceptance')}",), "acceptances, its history has"),
    (whole, "audits", (f"UPDATE obligation SET status = 'pending' WHERE {_one('obligation', WAIVED)}",), "is cancelled and owes"),
    (whole, "notifications", ("DELETE FROM event_log WHERE seq = 3",), "the outward log has"),
    (whole, "notifications", ("UPDATE event_log SET body = body || ' ' WHERE seq = 3",), "is not what was emitted"),
    (whole, "incentives", (f"UPDATE decision SET result = result || ' ' WHERE {_one('decision')}",), "is not what its hash says"),
    (whole, "incentives", ("UPDATE decision SET supersedes = NULL WHERE supersedes IS NOT NULL",), "beginnings"),
    (delivered, "audits", (f"UPDATE outbox SET published_at = NULL WHERE {_one('outbox')}",), "is not published"),
    (delivered, "credit", (f"DELETE FROM inbox WHERE {_one('inbox')}",), "never saw"),
    (delivered, "credit", ("INSERT INTO dead_letter (event_id, subject, content, reason) VALUES (gen_random_uuid(), '', '{}', 'x')",), "set aside"),
    (delivered, "notifications", ("DELETE FROM delivery",), "is not owed"),
    (delivered, "notifications", (f"UPDATE delivery SET state = 'dead', error_code = NULL WHERE {_one('delivery')}",), "without a reason"),
    (ordered, "notifications", (NO_KEY.format("event_log"), SWAP), "was emitted after"),
    (ordered, "notifications", ("UPDATE delivery SET seq = -seq",), "received in the order"),
    (ordered, "credit", (f"UPDATE enterprise_copy SET version = 0 WHERE {_one('enterprise_copy')}",), "the register told"),
    (ordered, "audits", (f"UPDATE audit_round SET state = 'suspended' WHERE {_one('audit_round')}",), "was last told to be"),
    (ordered, "audits", ("UPDATE obligation SET status = 'done' WHERE status = 'pending'",), "obligation"),
    (converged, "audits", (f"UPDATE enterprise_copy SET name = '别人' WHERE {_one('enterprise_copy')}",), "audits.enterprise_copy"),
    (converged, "registry", (f"DELETE FROM access_entry WHERE {_one('access_entry')}",), "registry.access_entry"),
    (converged, "incentives", (f"DELETE FROM standing_decision WHERE {_one('standing_decision')}",), "incentives.standing"),
    (converged, "notifications", (f"UPDATE event_log SET division = '4399' WHERE {_one('event_log')}",), "notifications.event_log"),
    (stuck, "audits", (f"UPDATE job SET state = 'running' WHERE {_one('job')}",), "is running at attempt"),
    (stuck, "registry", (f"UPDATE idempotency SET status = NULL WHERE {_one('idempotency')}",), "has no answer"),
    (stuck, "notifications", (f"UPDATE delivery SET state = 'ready' WHERE {_one('delivery')}",), "in no lane"),
    (stuck, "notifications", (OLD_LEASE,), "its lease ended"),
)  # fmt: skip


@pytest.mark.parametrize("compute", dict.fromkeys(tamper[0] for tamper in TAMPERS))
def test_nothing_is_found_where_nothing_was_altered(quiet: Quiet, compute: Compute) -> None:
    assert compute(quiet, quiet.now) == []


@pytest.mark.parametrize(
    ("compute", "service", "statements", "said"),
    TAMPERS,
    ids=[f"{n:02}-{t[0].__name__}" for n, t in enumerate(TAMPERS)],
)
def test_what_somebody_altered_is_found(
    quiet: Quiet, compute: Compute, service: str, statements: Sequence[str], said: str
) -> None:
    found = compute(quiet, quiet.tampered(service, *statements))
    assert any(said in line for line in found), found


def test_a_body_that_changed_on_the_way_and_a_signature_of_nobody_are_found(quiet: Quiet) -> None:
    good = list(quiet.lab.receiver.received)
    altered = Received(0.0, good[0].headers, good[0].body + b" ")
    found = effects.nothing_twice(quiet.now, quiet.world.history, [*good, altered], quiet.world.secrets)
    assert any("2 bodies" in line for line in found) and any("not signed by us" in line for line in found)


def test_an_unanswered_request_may_be_there_once_but_not_twice(quiet: Quiet) -> None:
    history = deepcopy_of(quiet.world.history)
    operation = next(op for op in history.of(OK) if op.path == "/credit/v1/records")
    operation.outcome = UNKNOWN
    altered = quiet.tampered(
        "credit", NO_KEY.format("credit_record"), "INSERT INTO credit_record SELECT * FROM credit_record"
    )
    sealer = Sealer.from_file(quiet.lab.home.secrets / "sealing.key")
    assert effects.nothing_lost(quiet.now, history, sealer, quiet.ids) == []
    assert any("never answered" in line for line in effects.nothing_lost(altered, history, sealer, quiet.ids))


def deepcopy_of(history: History) -> History:
    made = History.__new__(History)
    made.operations, made.seen, made.done = deepcopy(history.operations), list(history.seen), history.done
    return made


class Answering:
    """Stands for a caller whose repeated request is answered otherwise."""

    def __init__(self, status: int, body: bytes, replayed: bool = True) -> None:
        headers = {"idempotency-replayed": "true"} if replayed else {}
        self._answer = httpx.Response(status, content=body, headers=headers)

    def repeat(self, operation: Any) -> httpx.Response:
        return self._answer


def test_a_repetition_that_is_answered_otherwise_or_done_again_is_found(quiet: Quiet) -> None:
    history = deepcopy_of(quiet.world.history)
    history.operations = [op for op in history.of(OK) if op.method == "POST"][:1]
    op, chance = history.operations[0], random.Random(1)

    def repeated(caller: Answering) -> list[str]:
        return repeats.retries_safe(history, {op.client: cast(LabCaller, caller)}, chance, 10)

    assert repeated(Answering(op.status, op.body)) == []
    assert "again 500" in repeated(Answering(500, op.body))[0]
    assert "again 201" in repeated(Answering(201, b"{}"))[0]
    assert "was done again" in repeated(Answering(op.status, op.body, replayed=False))[0]
    more = quiet.tampered("registry", f"DELETE FROM enterprise WHERE {_one('enterprise')}")
    assert "registry.enterprise" in repeats.nothing_changed(quiet.now, more)[0]


@pytest.mark.parametrize(
    ("limit", "said"),
    [("MEMORY", "bytes of memory"), ("FILES", "open files"), ("THREADS", "threads"), ("CONNECTIONS", "connections")],
)
def test_what_a_process_has_too_much_of_is_found(
    quiet: Quiet, monkeypatch: pytest.MonkeyPatch, limit: str, said: str
) -> None:
    monkeypatch.setattr(bounds, limit, 1)
    assert any(said in line for line in bounds.bounded(quiet.lab))


def test_a_forgotten_transaction_and_a_slow_recovery_are_found(quiet: Quiet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "IDLE", 0)
    with psycopg.connect(quiet.lab.postgres.admin_url("audits")) as forgotten:
        forgotten.execute("SELECT 1")
        assert any("an idle transaction in audits" in line for line in bounds.bounded(quiet.lab))
    part = quiet.lab.supervisor.parts["whole"]
    monkeypatch.setattr(part, "recovered", [bounds.BACK + 1])
    assert any("seconds to be back" in line for line in bounds.bounded(quiet.lab))


LEAKS: tuple[tuple[str, str, Callable[[Any], Any], str], ...] = (
    (
        "other_bank",
        "/audits/v1/enterprises/{uscc}/status",
        lambda uscc: {"uscc": uscc, "stage": "started"},
        "the stage of",
    ),
    (
        "other_bank",
        "/incentives/v1/enterprises/{uscc}/decisions",
        lambda uscc: {"items": [{"uscc": uscc}]},
        "decisions of",
    ),
    (
        "city_ecology_4306",
        "/audits/v1/rounds",
        lambda uscc: {"items": [{"uscc": uscc, "division": "430202"}]},
        "a row of",
    ),
    ("subscriber", "/notifications/v1/events", lambda uscc: {"events": [_event(uscc)]}, "event e"),
    ("other_bank", "/notifications/v1/events", lambda uscc: {"events": [_event(uscc)]}, "event e"),
)


def _event(uscc: str) -> dict[str, Any]:
    return {"id": "e", "type": "audits.obligation.created.v1", "data": {"uscc": uscc}}


@pytest.mark.parametrize(
    ("client", "path", "made", "said"), LEAKS, ids=[f"{n}-{leak[0]}" for n, leak in enumerate(LEAKS)]
)
def test_what_somebody_should_not_have_seen_is_found(
    quiet: Quiet, client: str, path: str, made: Callable[[Any], Any], said: str
) -> None:
    history = deepcopy_of(quiet.world.history)
    identities = {name: caller.identity for name, caller in quiet.world.callers.items()}
    uscc = quiet.now.rows("registry", "enterprise")[0]["uscc"]
    assert leaks.nothing_leaked(quiet.now, history, identities) == []
    history.seen.append(Seen(client, path.format(uscc=uscc), 200, made(uscc)))
    assert any(said in line for line in leaks.nothing_leaked(quiet.now, history, identities))


def test_work_that_waits_is_seen_until_it_is_done(quiet: Quiet) -> None:
    part = quiet.lab.supervisor.parts["whole"]
    with Observed(quiet.lab) as observed:
        until(lambda: not observed.waiting(), 30, "quiet")
        part.send(signal.SIGSTOP)
        with psycopg.connect(quiet.lab.postgres.admin_url(BUS), autocommit=True) as admin:
            admin.execute("UPDATE group_offset SET position = 0 WHERE consumer = 'credit'")
        assert any(line.startswith("credit: ") for line in observed.waiting())
        part.send(signal.SIGCONT)
        until(lambda: not observed.waiting(), 60, "the credit service to hear everything again")
