"""I3 and I5: histories without a gap, and consumers that saw each aggregate's events in their order."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

from infra.receiver import Received
from services.registry.rules.ledger import broken
from tests.fault.lab.snapshot import Row, Snapshot


def chains_whole(snapshot: Snapshot) -> list[str]:
    """I3."""
    return [
        *_ledgers(snapshot),
        *_round_histories(snapshot),
        *_ended_rounds(snapshot),
        *_versions(snapshot),
        *_outward_log(snapshot),
        *_decisions(snapshot),
    ]


def _ledgers(snapshot: Snapshot) -> list[str]:
    found = []
    for uscc, rows in snapshot.by("registry", "access_entry", "uscc").items():
        entries: list[Any] = [SimpleNamespace(**row) for row in sorted(rows, key=lambda r: int(r["number"]))]
        found += [f"ledger of {uscc}: entry {number} does not fit" for number in broken(entries)]
    return found


def _round_histories(snapshot: Snapshot) -> list[str]:
    """Lines numbered from 1 without a gap, each starting where the one before ended, the last one where the round is."""
    found, steps = [], snapshot.by("audits", "round_step", "round_id")
    for audit_round in snapshot.rows("audits", "audit_round"):
        lines = sorted(steps[audit_round["id"]], key=lambda r: int(r["number"]))
        name = f"round {audit_round['id']} of {audit_round['uscc']}"
        if [line["number"] for line in lines] != list(range(1, len(lines) + 1)):
            found.append(f"{name}: its history is numbered {[line['number'] for line in lines]}")
        if len(lines) != audit_round["version"]:
            found.append(f"{name}: {len(lines)} lines, version {audit_round['version']}")
        found += [
            f"{name}: line {b['number']} starts in {b['from_state']}, the one before ended in {a['to_state']}"
            for a, b in pairwise(lines)
            if a["to_state"] != b["from_state"]
        ]
        if lines and lines[-1]["to_state"] != audit_round["state"]:
            found.append(f"{name}: is {audit_round['state']}, its history ends in {lines[-1]['to_state']}")
        found += [f"{name}: {line}" for line in _counters(audit_round, lines)]
    return found


def _counters(audit_round: Row, lines: Sequence[Row]) -> list[str]:
    """What a round counts is what its history has, since it was last audited anew; it goes on where it was suspended."""
    attempt, counted, left = 1, Counter[str](), ""
    found = []
    for line in lines:
        if line["move"] in ("reaudit", "order-reaudit"):
            attempt, counted = attempt + 1, Counter()
        counted[line["move"]] += 1
        if line["move"] == "suspend":
            left = line["from_state"]
        elif line["move"] == "resume" and line["to_state"] != left:
            found.append(f"suspended in {left}, it went on in {line['to_state']}")
    counts = {"attempt": attempt, "supplement_round": counted["submit-supplement"]}
    counts["acceptance_attempts"] = counted["record-acceptance"]
    found += [f"{key} is {audit_round[key]}, its history has {n}" for key, n in counts.items() if audit_round[key] != n]
    return found


def _ended_rounds(snapshot: Snapshot) -> list[str]:
    """A cancelled round owes nothing; each acceptance that a history tells is there."""
    duties, acceptances = (
        snapshot.by("audits", "obligation", "round_id"),
        snapshot.by("audits", "acceptance", "round_id"),
    )
    lines = Counter(r["round_id"] for r in snapshot.rows("audits", "round_step") if r["move"] == "record-acceptance")
    found = []
    for audit_round in snapshot.rows("audits", "audit_round"):
        name, mine = f"round {audit_round['id']}", audit_round["id"]
        if audit_round["state"] == "cancelled":
            owed = [duty["code"] for duty in duties[mine] if duty["status"] in ("pending", "overdue")]
            found += [f"{name}: is cancelled and owes {owed}"] if owed else []
        if len(acceptances[mine]) != lines[mine]:
            found.append(f"{name}: {len(acceptances[mine])} acceptances, its history has {lines[mine]}")
    return found


def _versions(snapshot: Snapshot) -> list[str]:
    found, versions = [], snapshot.by("registry", "enterprise_version", "uscc")
    for row in snapshot.rows("registry", "enterprise"):
        numbers = sorted({v["version"] for v in versions[row["uscc"]]})
        if numbers != list(range(1, row["version"] + 1)):
            found.append(f"enterprise {row['uscc']}: version {row['version']}, its history has {numbers}")
    return found


def _outward_log(snapshot: Snapshot) -> list[str]:
    """Numbered from 1 to the head without a gap; every body is what was emitted."""
    told = {str(e.id): e for e in snapshot.events()}
    rows = sorted(snapshot.rows("notifications", "event_log"), key=lambda r: int(r["seq"]))
    heads = [row["seq"] for row in snapshot.rows("notifications", "log_head")]
    found = []
    if [row["seq"] for row in rows] != list(range(1, (heads or [0])[0] + 1)):
        found.append(f"the outward log has {len(rows)} lines, its head is {heads}")
    for row in rows:
        envelope = told.get(str(row["event_id"]))
        if envelope is None or envelope.cloud_event() != bytes(row["body"]):
            found.append(f"outward event {row['seq']} ({row['event_id']}) is not what was emitted")
    return found


def _decisions(snapshot: Snapshot) -> list[str]:
    """Each stored result is what its hash says; the decisions of a programme are one chain that ends in what stands."""
    rows = snapshot.rows("incentives", "decision")
    found = [
        f"decision {row['id']}: its result is not what its hash says"
        for row in rows
        if hashlib.sha256(bytes(row["result"])).hexdigest() != row["result_hash"].removeprefix("sha256:")
    ]
    chains: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        if not row["on_demand"]:
            chains[row["uscc"], row["programme"]].append(row)
    standing = {(r["uscc"], r["programme"]): r["decision"] for r in snapshot.rows("incentives", "standing_decision")}
    for key, chain in chains.items():
        heads = {row["id"] for row in chain} - {row["supersedes"] for row in chain}
        firsts = [row["id"] for row in chain if row["supersedes"] is None]
        if heads != {standing.get(key)} or len(firsts) != 1:
            found.append(f"decisions of {key}: {len(firsts)} beginnings, ends {heads}, standing {standing.get(key)}")
    return found


def in_order(snapshot: Snapshot, received: Sequence[Received]) -> list[str]:
    """I5."""
    return [*_logged_in_order(snapshot), *_received_in_order(snapshot, received), *_states_follow(snapshot)]


def _logged_in_order(snapshot: Snapshot) -> list[str]:
    """Within a producer and a subject, the outward log has the order in which the events were emitted."""
    seq = {str(row["event_id"]): int(row["seq"]) for row in snapshot.rows("notifications", "event_log")}
    streams: dict[tuple[str, str], list[str]] = defaultdict(list)
    for envelope in snapshot.events():
        if str(envelope.id) in seq:
            streams[envelope.source, envelope.subject].append(str(envelope.id))
    return [
        f"{source}/{subject}: event {b} ({seq[b]}) was emitted after {a} ({seq[a]})"
        for (source, subject), ids in streams.items()
        for a, b in pairwise(ids)
        if seq[a] > seq[b]
    ]


def _received_in_order(snapshot: Snapshot, received: Sequence[Received]) -> list[str]:
    """First receipts at a subscription, subject by subject, are in the order of the outward log."""
    owed = {str(row["id"]): row for row in snapshot.rows("notifications", "delivery")}
    first: dict[tuple[str, str], list[int]] = defaultdict(list)
    seen: set[str] = set()
    for receipt in received:
        delivery = receipt.headers["webhook-delivery-id"]
        if delivery in owed and delivery not in seen:
            seen.add(delivery)
            row = owed[delivery]
            first[str(row["subscription_id"]), row["subject"]].append(int(row["seq"]))
    return [
        f"subscription {subscription}, {subject}: received in the order {numbers}"
        for (subscription, subject), numbers in first.items()
        if numbers != sorted(numbers)
    ]


def _states_follow(snapshot: Snapshot) -> list[str]:
    """What is there now is the fold of what was told, at the producer and at every consumer that keeps a copy."""
    found: list[str] = []
    moved: dict[str, str] = {}
    known: dict[str, int] = {}
    done: Counter[tuple[str, str]] = Counter()
    for e in snapshot.events():
        if e.type == "audits.round.moved.v1":
            moved[e.data["round"]] = e.data["state"]
        elif e.type in ("registry.enterprise.registered.v1", "registry.enterprise.changed.v1"):
            known[e.subject] = max(known.get(e.subject, 0), e.data["version"])
        elif e.type in ("audits.obligation.done.v1", "audits.obligation.waived.v1"):
            done[e.data["round"], e.data["code"]] += 1
    for row in snapshot.rows("audits", "audit_round"):
        if moved.get(str(row["id"]), row["state"]) != row["state"]:
            found.append(f"round {row['id']}: is {row['state']}, was last told to be {moved[str(row['id'])]}")
    for service in ("audits", "credit", "incentives", "notifications"):
        copies = {row["uscc"]: row["version"] for row in snapshot.rows(service, "enterprise_copy")}
        found += [
            f"{service} knows version {copies.get(uscc)} of {uscc}, the register told {version}"
            for uscc, version in known.items()
            if copies.get(uscc) != version
        ]
    closed = Counter(
        (str(row["round_id"]), row["code"])
        for row in snapshot.rows("audits", "obligation")
        if row["status"] in ("done", "done_late", "waived")
    )
    found += [
        f"obligation {code} of round {of}: {closed[of, code]} are closed, {done[of, code]} were told to be"
        for of, code in closed | done
        if closed[of, code] != done[of, code]
    ]
    return found
