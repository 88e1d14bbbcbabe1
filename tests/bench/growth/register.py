"""A register laid straight into the tables of four services, as their consumers and imports would leave it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4

import psycopg
from psycopg.types.json import Jsonb

from services.audits.actions.status import AuditFacts, members, public_part, restricted_part
from services.incentives.models import ENTERPRISE
from shared.codes import county_codes, make_uscc
from shared.settings import DatabaseUrls

SMELTER, OTHERS = "3216", ("2611", "3212", "3360", "1711")
ONE_IN = 10  # a smelter among so many firms
SINCE, KNOWN = date(2025, 1, 1), datetime(2026, 1, 5, tzinfo=UTC)
PUBLIC, RESTRICTED = members(public_part(AuditFacts())), members(restricted_part(AuditFacts()))


@dataclass(frozen=True)
class Firm:
    number: int
    uscc: str
    division: str
    industry: str

    @property
    def name(self) -> str:
        return f"示例企业{self.number}有限公司"

    def facts(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """What incentives was told of it; a smelter with what its price rests on."""
        said = {"name": self.name, "division": self.division, "industry": self.industry, "status": "active", "version": 1}
        yield ENTERPRISE, said | {"deregistered_on": None}
        if self.industry == SMELTER:
            consumed = {"al_kwh_per_t": str(13_300 + self.number % 400), "al_production_kwh": "1000000"}
            for code, value in (consumed | {"grid_account": f"43{self.number:010d}"}).items():
                yield code, {"value": value, "source": "示例", "fact": str(uuid4())}


def firm(number: int) -> Firm:
    division = county_codes()[number % len(county_codes())]
    industry = SMELTER if number % ONE_IN == 0 else OTHERS[number % len(OTHERS)]
    return Firm(number, make_uscc(number, division=division, series="MX"), division, industry)


def lay(first: int, last: int) -> None:
    """The firms from `first` up to `last`, with a status, facts and an event each; then what autovacuum would do."""
    firms = [firm(number) for number in range(first, last)]
    _registry(firms)
    _audits(firms)
    _incentives(firms)
    _notifications(firms)


def _registry(firms: Sequence[Firm]) -> None:
    head = "uscc, name, division, industry, status, version, valid_from, recorded_at"
    rows = [(f.uscc, f.name, f.division, f.industry, "active", 1, SINCE, KNOWN) for f in firms]
    _copy("registry", {f"enterprise ({head})": rows, f"enterprise_version ({head}, recorded_by)": [(*r, "") for r in rows]})


def _audits(firms: Sequence[Firm]) -> None:
    copies = [(f.uscc, f.name, f.division, f.industry, "active", 1) for f in firms]
    statuses = [(f.uscc, f.division, SINCE, KNOWN, PUBLIC, RESTRICTED) for f in firms]
    _copy(
        "audits",
        {
            "enterprise_copy (uscc, name, division, industry, status, version)": copies,
            "audit_status (uscc, division, valid_from, recorded_at, public, restricted)": statuses,
        },
    )


def _incentives(firms: Sequence[Firm]) -> None:
    copies = [(f.uscc, f.name, f.division, f.industry, "active", 1) for f in firms]
    facts = [(f.uscc, code, Jsonb(value), SINCE, KNOWN) for f in firms for code, value in f.facts()]
    _copy(
        "incentives",
        {
            "enterprise_copy (uscc, name, division, industry, status, version)": copies,
            "fact (uscc, code, value, valid_from, recorded_at)": facts,
        },
    )


def _notifications(firms: Sequence[Firm]) -> None:
    first = _head()
    body = b'{"specversion":"1.0","type":"audits.list_entry.published.v1","data":{}}'
    events = [
        (first + n, uuid4(), "audits.list_entry.published.v1", f.uscc, f.uscc, f.division, "public", "", False, "", body, KNOWN)
        for n, f in enumerate(firms, 1)
    ]
    columns = "seq, event_id, type, subject, uscc, division, audience, consent_scope, tariff, traceparent, body, recorded_at"
    _copy(
        "notifications",
        {
            "enterprise_copy (uscc, division, version)": [(f.uscc, f.division, 1) for f in firms],
            f"event_log ({columns})": events,
        },
        f"INSERT INTO log_head (id, seq) VALUES (1, {first + len(firms)}) ON CONFLICT (id) DO UPDATE SET seq = excluded.seq",
    )


def _head() -> int:
    """The last number of the event log, to which deliveries that were measured have added."""
    with psycopg.connect(DatabaseUrls.of("notifications").owner_url) as database:
        row = database.execute("SELECT seq FROM log_head").fetchone()
    return row[0] if row else 0


def _copy(service: str, tables: dict[str, list[tuple[Any, ...]]], then: str = "SELECT 1") -> None:
    with psycopg.connect(DatabaseUrls.of(service).owner_url, autocommit=True) as database:
        for table, rows in tables.items():
            with database.cursor().copy(f"COPY {table} FROM STDIN") as into:
                for row in rows:
                    into.write_row(row)
        database.execute(then)
        database.execute("VACUUM ANALYZE")
