"""I1 and I2: what was acknowledged is there, once; what was not known is there once or not at all."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from infra.receiver import Received
from services.notifications.signing import SignatureRefused, verify
from shared.events import CATALOGUE, Audience
from shared.sealing import Sealer
from tests.fault.lab.history import FAIL, OK, OPEN, UNKNOWN, History, Operation
from tests.fault.lab.snapshot import Row, Snapshot

Match = Callable[[Row, Operation, tuple[str, ...]], bool]


@dataclass(frozen=True)
class Effect:
    """Where the effect of a path is to be found, and which row is an operation's."""

    path: str
    service: str
    table: str
    mine: Match
    by: str = "id"  # the column that narrows the search: what the request says under that name, or what the path names

    def sought(self, op: Operation, parts: tuple[str, ...]) -> str:
        """The value of that column in the row of an operation; empty where nobody knows."""
        if self.mine is answered:
            return str(op.answer.get("job") or op.answer.get("id")) if op.answer is not None else ""
        return str(op.json[self.by]) if isinstance(op.json, dict) and self.by in op.json else parts[0]


def same(*names: str) -> Match:
    """The row says what the request said."""
    return lambda row, op, parts: all(str(row[name]) == str(op.json[name]) for name in names)


def answered(row: Row, op: Operation, parts: tuple[str, ...]) -> bool:
    """The row is the one that the answer named; an unanswered one cannot be told from others."""
    return op.answer is not None and str(row["id"]) == str(op.answer.get("job") or op.answer.get("id"))


def named(row: Row, op: Operation, parts: tuple[str, ...]) -> bool:
    """The row is the one that the path names."""
    return str(row["id"]) == parts[0]


def _step(row: Row, op: Operation, parts: tuple[str, ...]) -> bool:
    """One move, one version, one line: the line after the version that the caller had read is its own."""
    round_id, move = parts
    mine = str(row["round_id"]) == round_id and row["move"] == move and row["number"] == int(op.if_match.strip('"')) + 1
    return mine and row["content"].get("phase") == op.json.get("phase")


EFFECTS = (
    Effect(r"/registry/v1/enterprises", "registry", "enterprise", same("uscc"), by="uscc"),
    Effect(r"/registry/v1/enterprises/(\w+)/facts", "registry", "fact", same("code", "value"), by="uscc"),
    Effect(r"/registry/v1/experts", "registry", "expert", same("name"), by="name"),
    Effect(r"/registry/v1/institutions", "registry", "institution", same("uscc"), by="uscc"),
    Effect(r"/registry/v1/clients", "registry", "client", same("role", "name", "uscc"), by="name"),
    Effect(r"/registry/v1/clients/(.+)/rotate-secret", "registry", "client", lambda r, o, p: r["id"] == p[0] and bool(r["rotated_at"])),
    Effect(r"/registry/v1/consents", "registry", "consent", same("uscc", "bank"), by="uscc"),
    Effect(r"/registry/v1/consents/(.+)/revoke", "registry", "consent", lambda r, o, p: str(r["id"]) == p[0] and bool(r["revoked_at"])),
    Effect(r"/registry/v1/imports", "registry", "job", answered),
    Effect(r"/audits/v1/lists", "audits", "mandatory_list", same("document_no"), by="document_no"),
    Effect(r"/audits/v1/lists/(.+)/imports", "audits", "job", answered),
    Effect(r"/audits/v1/lists/(.+)/publish", "audits", "mandatory_list", lambda r, o, p: str(r["id"]) == p[0] and r["state"] == "published"),
    Effect(r"/audits/v1/entries/(.+)/withdraw", "audits", "list_entry", lambda r, o, p: str(r["id"]) == p[0] and r["state"] == "withdrawn"),
    Effect(r"/audits/v1/files", "audits", "audit_file", answered),
    Effect(r"/audits/v1/rounds/([^/]+)/measures", "audits", "measure", same("name"), by="round_id"),
    Effect(r"/audits/v1/rounds/([^/]+)/([a-z-]+)", "audits", "round_step", _step, by="round_id"),
    Effect(r"/credit/v1/records", "credit", "credit_record", same("uscc", "document_no"), by="document_no"),
    Effect(r"/incentives/v1/tier-lists/(.+)/publish", "incentives", "tier_list", same("document_no"), by="document_no"),
    Effect(r"/notifications/v1/subscriptions", "notifications", "subscription", same("url"), by="url"),
    Effect(r"/notifications/v1/subscriptions/([^/]+)/(verify|rotate-secret)", "notifications", "subscription", named),
)  # fmt: skip


# What incentives keeps a fact of.
FACTS = (
    "registry.enterprise.registered.v1",
    "registry.enterprise.changed.v1",
    "registry.fact.recorded.v1",
    "audits.list_entry.published.v1",
    "audits.list_entry.withdrawn.v1",
    "audits.round.moved.v1",
    "audits.acceptance.recorded.v1",
    "audits.obligation.overdue.v1",
    "audits.obligation.done.v1",
    "audits.obligation.waived.v1",
    "credit.record.published.v1",
)


def effect_of(operation: Operation) -> tuple[Effect, tuple[str, ...]] | None:
    for effect in EFFECTS:
        if found := re.fullmatch(effect.path, operation.path):
            return effect, found.groups()
    return None


def _rows_of(snapshot: Snapshot, operation: Operation) -> list[Row] | None:
    found = effect_of(operation)
    if found is None:
        return None
    effect, parts = found
    near = snapshot.near(effect.service, effect.table, effect.by, effect.sought(operation, parts))
    return [row for row in near if effect.mine(row, operation, parts)]


def nothing_lost(snapshot: Snapshot, history: History, sealer: Sealer, ids: dict[str, str]) -> list[str]:
    """I1. `ids` gives the client id of a caller."""
    found: list[str] = []
    stored = {(r["client_id"], r["key"]): r for s in snapshot.tables for r in snapshot.rows(s, "idempotency")}
    for op in history.operations:
        if op.method == "PATCH":
            continue
        rows = _rows_of(snapshot, op)
        if rows is None:
            found.append(f"{op.key}: nobody said what {op.method} {op.path} leaves behind")
        elif op.outcome == OK:
            found += [f"{op.key}: {op.method} {op.path} was answered {op.status}; nothing is there"] if not rows else []
            found += _answer_kept(op, stored.get((ids[op.client], op.key)), sealer, ids[op.client])
        elif op.outcome in (UNKNOWN, OPEN) and len(rows) > 1:
            found.append(f"{op.key}: {op.path} was never answered and is there {len(rows)} times")
    return found + _changes_kept(snapshot, history)


def _answer_kept(op: Operation, row: Row | None, sealer: Sealer, client: str) -> list[str]:
    if row is None:
        return [f"{op.key}: {op.path} was answered {op.status}; its key is not stored"]
    if row["status"] is None:
        return [f"{op.key}: its key is stored without an answer"]
    body = sealer.open(bytes(row["body"]), f"idempotency/{client}/{op.key}")
    if (row["status"], body) != (op.status, op.body):
        return [f"{op.key}: answered {op.status} {op.body[:200]!r}, stored {row['status']} {body[:200]!r}"]
    return []


def _changes_kept(snapshot: Snapshot, history: History) -> list[str]:
    """The last change of an enterprise's address that was acknowledged is in some version of it."""
    versions = snapshot.by("registry", "enterprise_version", "uscc")
    changes = [o for o in history.of(OK) if o.method == "PATCH" and o.path.startswith("/registry/v1/enterprises/")]
    return [
        f"{o.key}: the address {o.json['address']} of {o.path} is in no version"
        for o in changes
        if o.json["address"] not in {v["address"] for v in versions[o.path.rsplit("/", 1)[1]]}
    ]


def nothing_twice(
    snapshot: Snapshot, history: History, received: Sequence[Received], secrets: Mapping[str, list[str]]
) -> list[str]:
    """I2."""
    found = [
        f"{op.key}: {op.method} {op.path} ({op.outcome}) has {len(rows)} effects"
        for op in history.operations
        if op.method != "PATCH" and op.outcome != FAIL and len(rows := _rows_of(snapshot, op) or []) > 1
    ]
    found += [
        f"{op.key}: {op.path} was refused with {op.status}, and is there all the same"
        for op in history.of(FAIL)
        if op.method != "PATCH" and op.status != 409 and _rows_of(snapshot, op)
    ]
    return (
        found
        + _tallies(snapshot)
        + _outward(snapshot)
        + _receipts(snapshot, received)
        + _forged(snapshot, received, secrets)
    )


def _tallies(snapshot: Snapshot) -> list[str]:
    """Things that are told, against things that are there: one for one."""
    s, kinds = snapshot, Counter(e.type for e in snapshot.events())
    reads = [k for k in kinds if k.endswith(".restricted_fact.read.v1")]
    pairs: Iterable[tuple[str, int, int]] = (
        (
            "enterprises and registrations",
            len(s.rows("registry", "enterprise")),
            kinds["registry.enterprise.registered.v1"],
        ),
        ("facts and their events", len(s.rows("registry", "fact")), kinds["registry.fact.recorded.v1"]),
        ("ledger entries and restricted reads", len(s.rows("registry", "access_entry")), sum(kinds[k] for k in reads)),
        ("acceptances and their events", len(s.rows("audits", "acceptance")), kinds["audits.acceptance.recorded.v1"]),
        ("obligations and their events", len(s.rows("audits", "obligation")), kinds["audits.obligation.created.v1"]),
        ("entries and their events", _published(s), kinds["audits.list_entry.published.v1"]),
        ("records and their events", len(s.rows("credit", "credit_record")), kinds["credit.record.published.v1"]),
        (
            "credit inputs and what they come from",
            len(s.rows("credit", "credit_input")),
            kinds["audits.acceptance.recorded.v1"] + kinds["audits.obligation.overdue.v1"],
        ),
        ("incentives' facts and what told them", len(s.rows("incentives", "fact")), sum(kinds[k] for k in FACTS)),
        ("standing changes and their events", _changed_decisions(s), kinds["incentives.decision.changed.v1"]),
        (
            "tier lists and their events",
            len(s.rows("incentives", "tier_list")),
            kinds["incentives.tier_list.published.v1"],
        ),
    )
    return [f"{what}: {there} there, {told} told" for what, there, told in pairs if there != told]


def _published(snapshot: Snapshot) -> int:
    return sum(row["state"] != "draft" for row in snapshot.rows("audits", "list_entry"))


def _changed_decisions(snapshot: Snapshot) -> int:
    """Decisions that stood and whose outcome or amounts were not those before."""
    rows = {row["id"]: row for row in snapshot.rows("incentives", "decision") if not row["on_demand"]}
    said = {i: (row["outcome"], json.loads(bytes(row["result"]))["amounts"]) for i, row in rows.items()}
    return sum(row["supersedes"] is None or said.get(row["supersedes"]) != said[i] for i, row in rows.items())


def _outward(snapshot: Snapshot) -> list[str]:
    """Every outward event has one line in the outward log, and nothing else has one."""
    told = Counter(str(e.id) for e in snapshot.events() if CATALOGUE[e.type].audience is not Audience.INTERNAL)
    logged = Counter(str(row["event_id"]) for row in snapshot.rows("notifications", "event_log"))
    return [f"event {i}: told {told[i]} times, {logged[i]} in the log" for i in told | logged if told[i] != logged[i]]


def _receipts(snapshot: Snapshot, received: Sequence[Received]) -> list[str]:
    """What a receiver took under one id is one body; what it never took is not called delivered."""
    bodies: dict[tuple[str, str], set[bytes]] = {}
    for receipt in received:
        bodies.setdefault((receipt.headers["webhook-delivery-id"], receipt.id), set()).add(receipt.body)
    found = [f"delivery {d}: event {i} came with {len(b)} bodies" for (d, i), b in bodies.items() if len(b) > 1]
    for row in snapshot.rows("notifications", "delivery"):
        if row["state"] == "delivered" and (str(row["id"]), str(row["event_id"])) not in bodies:
            found.append(
                f"delivery {row['id']} of {row['event_id']} is called delivered; the receiver has no trace of it"
            )
    events = Counter(
        (str(r["subscription_id"]), str(r["event_id"])) for r in snapshot.rows("notifications", "delivery")
    )
    return found + [f"subscription {s}: event {e} is owed {n} times" for (s, e), n in events.items() if n > 1]


def _forged(snapshot: Snapshot, received: Sequence[Received], secrets: Mapping[str, list[str]]) -> list[str]:
    """What came is signed with a secret of its subscription, old or new."""
    owed = {str(row["id"]): str(row["subscription_id"]) for row in snapshot.rows("notifications", "delivery")}
    found = []
    for receipt in received:
        subscription = owed.get(receipt.headers["webhook-delivery-id"], "")
        try:
            verify(secrets[subscription], receipt.headers, receipt.body, now=int(receipt.headers["webhook-timestamp"]))
        except (KeyError, ValueError, SignatureRefused) as error:
            found.append(f"a POST of event {receipt.id} to {subscription} is not signed by us: {error!r}")
    return found
