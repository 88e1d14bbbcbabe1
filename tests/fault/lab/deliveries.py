"""I4 and I10: everything that was committed has arrived, and nothing waits for somebody who is not coming."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta

from infra.parts import SERVICES
from services.notifications.rules import types_of
from shared.events import CATALOGUE, Audience
from tests.fault.lab.snapshot import Snapshot

LONGEST_LEASE = timedelta(seconds=90)


def all_delivered(snapshot: Snapshot, poison: Collection[str]) -> list[str]:
    """I4. `poison` are the ids of events that were put on the bus to be set aside."""
    found = [
        f"{name}: event {row['envelope']['id']} ({row['envelope']['type']}) is not published"
        for name in snapshot.tables
        for row in snapshot.rows(name, "outbox")
        if row["published_at"] is None
    ]
    return found + _handled(snapshot, poison) + _subscribed(snapshot)


def _handled(snapshot: Snapshot, poison: Collection[str]) -> list[str]:
    found, events = [], snapshot.events()
    for service in SERVICES:
        inbox = {(row["handler"], str(row["event_id"])) for row in snapshot.rows(service.name, "inbox")}
        letters = {str(r["event_id"]): r for r in snapshot.rows(service.name, "dead_letter") if r["event_id"]}
        found += [f"{service.name}: set aside {i}: {r['reason'][:300]}" for i, r in letters.items() if i not in poison]
        for envelope in events:
            for handler, _ in service.handlers.steps(envelope):
                if (handler, str(envelope.id)) not in inbox and str(envelope.id) not in letters:
                    found.append(
                        f"{service.name}.{handler} never saw {envelope.id} ({envelope.type} {envelope.subject})"
                    )
    return found


def _subscribed(snapshot: Snapshot) -> list[str]:
    """Every public event is owed to a subscription that asked for its type: the lab's are older than any event."""
    found, owed = [], {(r["subscription_id"], r["event_id"]): r for r in snapshot.rows("notifications", "delivery")}
    for subscription in snapshot.rows("notifications", "subscription"):
        wanted = set(types_of(subscription["types"]))
        for event in snapshot.rows("notifications", "event_log"):
            if event["type"] not in wanted:
                continue
            row = owed.get((subscription["id"], event["event_id"]))
            name = f"event {event['seq']} ({event['type']}, {event['event_id']}) at subscription {subscription['id']}"
            if row is None and CATALOGUE[event["type"]].audience is Audience.PUBLIC:
                found.append(f"{name}: is not owed")
            elif row is not None and row["state"] != "delivered" and not row["error_code"]:
                found.append(f"{name}: is {row['state']} without a reason")
    return found


def nothing_stuck(snapshot: Snapshot) -> list[str]:
    """I10."""
    found, now = [], datetime.now(UTC)
    for name in snapshot.tables:
        found += [
            f"{name}: key {row['key']} of {row['client_id']} has no answer"
            for row in snapshot.rows(name, "idempotency")
            if row["status"] is None
        ]
        found += [
            f"{name}: job {row['id']} ({row['kind']}) is {row['state']} at attempt {row['attempt']}"
            for row in snapshot.tables[name].get("job", [])
            if row["state"] not in ("succeeded", "failed")
        ]
    return found + _lanes(snapshot, now)


def _lanes(snapshot: Snapshot, now: datetime) -> list[str]:
    """Open deliveries of an active subscription are none; the others wait, each in a lane that nobody holds."""
    active = {row["id"] for row in snapshot.rows("notifications", "subscription") if row["state"] == "active"}
    waiting = [row for row in snapshot.rows("notifications", "delivery") if row["state"] in ("ready", "retry_wait")]
    lanes = {(row["subscription_id"], row["subject"]): row for row in snapshot.rows("notifications", "lane")}
    needed = {(row["subscription_id"], row["subject"]) for row in waiting}
    found = [
        f"delivery {row['id']} of {row['event_id']} is still {row['state']}"
        for row in waiting
        if row["subscription_id"] in active
    ]
    found += [
        f"lane {key}: its lease ended at {row['lease_until']}"
        for key, row in lanes.items()
        if row["lease_until"] is not None and row["lease_until"] < now - LONGEST_LEASE
    ]
    found += [f"lane {key} holds nothing" for key in lanes.keys() - needed]
    return found + [f"deliveries of {key} are open and in no lane" for key in needed - lanes.keys()]
