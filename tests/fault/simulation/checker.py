"""What must hold when everything has arrived, whatever happened on the way: computed from databases, bus and answers."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

import sqlalchemy as sa

from services.incentives.actions.copies import get_enterprise
from services.incentives.actions.decisions import standing
from services.registry.actions.ledger import verify_ledger
from shared.events import CATALOGUE, Audience, Envelope
from shared.messaging.inbox import deliver
from tests.fault.simulation.history import Told
from tests.fault.simulation.world import World

Row = tuple[Any, ...]


class Sent(NamedTuple):
    """An event as its producer's outbox keeps it."""

    service: str
    position: int
    envelope: Envelope
    published: bool


class Checker:
    """Every method says what is wrong; none of them repairs."""

    def __init__(self, world: World, told: Told) -> None:
        self.world, self.told = world, told
        self.sent = [sent for service in world.system.services for sent in self._sent(service.name)]
        self.by_id = {sent.envelope.id: sent.envelope for sent in self.sent}

    def wrong(self) -> list[str]:
        """Everything that does not hold, in the order of the invariants."""
        found = [
            *self.lost(), *self.not_delivered(), *self.doubled(), *self.out_of_order(), *self.log_with_gaps(),
            *self.ledger_broken(), *self.stuck(), *self.statuses_differ(), *self.copies_differ(),
        ]  # fmt: skip
        return found or list(self.rebuilt_differs())

    def rows(self, service: str, statement: str) -> list[Row]:
        return self.world.rows(service, statement)

    def _sent(self, service: str) -> Iterator[Sent]:
        for position, envelope, published in self.rows(
            service, "SELECT position, envelope, published_at IS NOT NULL FROM outbox ORDER BY position"
        ):
            yield Sent(service, position, Envelope.model_validate(envelope), published)

    def lost(self) -> Iterator[str]:
        """I1: what was acknowledged is there, once, as it was acknowledged."""
        names = dict(self.rows("registry", "SELECT uscc, name FROM enterprise WHERE status = 'active'"))
        yield from differences("enterprises", self.told.names, names)
        facts = Counter(self.rows("registry", "SELECT uscc, code FROM fact"))
        yield from differences("facts", self.told.facts, facts)
        consents = {
            str(i): revoked for i, revoked in self.rows("registry", "SELECT id, revoked_at IS NOT NULL FROM consent")
        }
        yield from differences("consents", {c: c in self.told.revoked for c in self.told.consents}, consents)
        grades = [
            number for (number,) in self.rows("credit", "SELECT document_no FROM credit_record ORDER BY recorded_at")
        ]
        yield from differences("grades", self.told.grades, grades)
        rounds = {str(i): state for i, state in self.rows("audits", "SELECT id, state FROM audit_round")}
        yield from differences("rounds", {i: str(s) for i, s in self.told.rounds.items()}, rounds)
        jobs = self.rows("audits", "SELECT count(*) FROM job WHERE state = 'succeeded'")
        yield from differences("imports", [(len(self.told.imports),)], jobs)
        reads = self._count("RestrictedFactRead")
        if reads < self.told.reads:
            yield f"reads: {self.told.reads} answered, {reads} recorded"

    def _count(self, *events: str) -> int:
        return sum(CATALOGUE[sent.envelope.type].__name__ in events for sent in self.sent)

    def not_delivered(self) -> Iterator[str]:
        """I4: every event is on the bus, and every handler that listens has had it; nothing was set aside."""
        on_bus = {Envelope.model_validate_json(r).id for records in self.world.bus.lanes.values() for r in records}
        for sent in self.sent:
            if not sent.published or sent.envelope.id not in on_bus:
                yield f"{sent.envelope.type} {sent.envelope.id} never left {sent.service}"
        if strange := on_bus - self.by_id.keys():
            yield f"on the bus and of nobody: {strange}"
        for service in self.world.system.services:
            wanted = Counter((name, e.id) for e in self.by_id.values() for name, _ in service.handlers.steps(e))
            had = Counter(self.rows(service.name, "SELECT handler, event_id FROM inbox"))
            yield from differences(f"inbox of {service.name}", wanted, had)
            for subject, reason in self.rows(service.name, "SELECT subject, reason FROM dead_letter"):
                yield f"{service.name} set aside {subject}: {reason}"

    def doubled(self) -> Iterator[str]:
        """I2: one effect per event in each service that counts its effects."""
        effects = {
            "credit_input": ("credit", ("AcceptanceRecorded", "ObligationOverdue")),
            "access_entry": ("registry", ("RestrictedFactRead",)),
            "fact": ("incentives", (
                "EnterpriseRegistered", "EnterpriseChanged", "FactRecorded", "ListEntryPublished", "ListEntryWithdrawn",
                "RoundMoved", "AcceptanceRecorded", "ObligationOverdue", "ObligationDone", "ObligationWaived",
                "CreditRecordPublished",
            )),
        }  # fmt: skip
        for table, (service, events) in effects.items():
            ((count,),) = self.rows(service, f"SELECT count(*) FROM {table}")
            if count != self._count(*events):
                yield f"{service}.{table}: {count} effects of {self._count(*events)} events"
        for uscc, code, count in self.rows(
            "audits", "SELECT uscc, code, count(*) FROM obligation WHERE status <> 'waived' AND code <> 'NEXT_ROUND'"
            " GROUP BY round_id, uscc, code, due_on HAVING count(*) > 1"
        ):  # fmt: skip
            yield f"{count} obligations {code} of {uscc}"

    def out_of_order(self) -> Iterator[str]:
        """I5: of one producer and one subject, the outward log holds the events in the order they were told."""
        place = {
            event: n
            for n, (event,) in enumerate(self.rows("notifications", "SELECT event_id FROM event_log ORDER BY seq"))
        }
        last: dict[tuple[str, str], int] = defaultdict(lambda: -1)
        for sent in self.sent:
            lane, here = (sent.service, sent.envelope.subject), place.get(sent.envelope.id)
            if here is not None:
                if here < last[lane]:
                    yield f"{sent.envelope.type} of {lane} came too early"
                last[lane] = max(last[lane], here)

    def log_with_gaps(self) -> Iterator[str]:
        """The outward log: every outward event once, numbered without a gap."""
        numbers = [seq for (seq,) in self.rows("notifications", "SELECT seq FROM event_log ORDER BY seq")]
        outward = sum(CATALOGUE[e.type].audience is not Audience.INTERNAL for e in self.by_id.values())
        # The legal calendar may have gone on by more than the ninety days that the log keeps.
        kept = list(range(numbers[0] if numbers else outward + 1, outward + 1))
        yield from differences("outward log", kept, numbers)
        yield from differences(
            "head of the log", [(outward,)] if outward else [], self.rows("notifications", "SELECT seq FROM log_head")
        )

    def ledger_broken(self) -> Iterator[str]:
        """I3: the chain of every enterprise whose facts were read is whole."""
        with self.world.system.contexts["registry"].db.read() as tx:
            for (uscc,) in tx.execute(sa.text("SELECT DISTINCT uscc FROM access_entry")).all():
                if numbers := verify_ledger(tx, uscc):
                    yield f"ledger of {uscc} is broken at {numbers}"

    def stuck(self) -> Iterator[str]:
        """I10: no job waits or runs, no idempotency key is half answered."""
        for service in self.world.system.services:
            for kind, state in self.rows(
                service.name, "SELECT kind, state FROM job WHERE state IN ('queued', 'running')"
            ):
                yield f"{service.name}: a job {kind} is {state}"
            if self.rows(service.name, "SELECT 1 FROM idempotency WHERE status IS NULL"):
                yield f"{service.name}: a key without an answer"

    def statuses_differ(self) -> Iterator[str]:
        """A round is in the same state in audits, in its status document and in what incentives was last told."""
        states = {str(i): state for i, state in self.rows("audits", "SELECT id, state FROM audit_round")}
        last: dict[str, str] = {}
        for value in self.rows("incentives", "SELECT value FROM fact WHERE code = 'audit.round' ORDER BY position"):
            last[value[0]["round"]] = value[0]["stage"]
        yield from differences("rounds in incentives", states, last)
        statement = "SELECT round_id, restricted FROM audit_status WHERE superseded_at IS NULL"
        for round_id, restricted in self.rows("audits", statement):
            stage = json.loads(b"{" + bytes(restricted) + b"}")["stage"]
            if stage != states[str(round_id)]:
                yield f"status of round {round_id}: {stage}, not {states[str(round_id)]}"

    def copies_differ(self) -> Iterator[str]:
        """I6: what each service keeps of others' facts is the fold of their events."""
        divisions: dict[str, tuple[int, str]] = {}
        revoked: dict[str, bool] = {}
        for envelope in self.by_id.values():
            kind, data = CATALOGUE[envelope.type].__name__, envelope.data
            if kind in ("EnterpriseRegistered", "EnterpriseChanged", "ListEntryPublished"):
                told = (data.get("version", 0), data["name"])
                divisions[data["uscc"]] = max(divisions.get(data["uscc"], (-1, "")), told, key=lambda t: t[0])
            if kind in ("ConsentGranted", "ConsentRevoked"):
                revoked[data["consent"]] = revoked.get(data["consent"], False) or kind == "ConsentRevoked"
        for service in ("audits", "credit", "incentives"):
            kept = {u: (v, n) for u, v, n in self.rows(service, "SELECT uscc, version, name FROM enterprise_copy")}
            yield from differences(f"enterprises in {service}", divisions, kept)
        for service in ("audits", "incentives", "notifications"):
            consents = {str(i): r for i, r in self.rows(service, "SELECT id, revoked FROM consent_copy")}
            yield from differences(f"consents in {service}", revoked, consents)

    def decisions(self) -> dict[tuple[str, str], str]:
        statement = (
            "SELECT s.uscc, s.programme, d.outcome, convert_from(d.result, 'UTF8')::jsonb->'amounts'"
            " FROM standing_decision s JOIN decision d ON d.id = s.decision"
        )
        return {(u, p): f"{outcome} {amounts}" for u, p, outcome, amounts in self.rows("incentives", statement)}

    def rebuilt_differs(self) -> Iterator[str]:
        """I6, P8: from nothing, every event once and in order, incentives decides the same."""
        before = self.decisions()
        incentives = next(s for s in self.world.system.services if s.name == "incentives")
        self.world.emptied(
            incentives, ("inbox", "outbox", "fact", "decision", "standing_decision", "enterprise_copy", "consent_copy")
        )
        told = sorted(self.by_id.values(), key=lambda envelope: envelope.time)
        db = self.world.system.contexts["incentives"].db
        deliver(told, incentives.handlers, db)
        with db.begin() as tx:  # a reader's question makes what nobody had decided yet
            for uscc, programme in before.keys() - self.decisions().keys():
                standing(tx, get_enterprise(tx, uscc), [programme], self.world.today)
        yield from differences("decisions after a clean replay", before, self.decisions())


def differences(what: str, expected: Any, found: Any) -> Iterator[str]:
    if expected != found:
        if isinstance(expected, dict):
            keys = [k for k in {**expected, **found} if expected.get(k) != found.get(k)]
            yield f"{what}: " + "; ".join(f"{k}: {expected.get(k)!r}, found {found.get(k)!r}" for k in keys[:5])
        else:
            yield f"{what}: {expected!r}, found {found!r}"
