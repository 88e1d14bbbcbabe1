"""Everything that the five services hold, read at once: what the invariants are computed from."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from infra.home import SERVICE_NAMES
from infra.postgres import EmbeddedPostgres
from shared.events import Envelope

Row = dict[str, Any]
Connection = psycopg.Connection[Row]


@dataclass(frozen=True)
class Snapshot:
    """The rows of every table of every service."""

    tables: Mapping[str, Mapping[str, list[Row]]]
    _indices: dict[tuple[str, str, str], dict[str, list[Row]]] = field(default_factory=dict, compare=False)

    def rows(self, service: str, table: str) -> list[Row]:
        return self.tables[service][table]

    def by(self, service: str, table: str, column: str) -> dict[Any, list[Row]]:
        found: dict[Any, list[Row]] = defaultdict(list)
        for row in self.rows(service, table):
            found[row[column]].append(row)
        return found

    def near(self, service: str, table: str, column: str, value: str) -> list[Row]:
        """The rows with a value in a column, as text; the index is made once, for thousands ask."""
        key = (service, table, column)
        if key not in self._indices:
            index: dict[str, list[Row]] = {}
            for row in self.rows(service, table):
                index.setdefault(str(row[column]), []).append(row)
            self._indices[key] = index
        return self._indices[key].get(value, [])

    @property
    def counts(self) -> dict[str, int]:
        """How many rows each table has."""
        return {f"{s}.{t}": len(rows) for s, tables in self.tables.items() for t, rows in tables.items()}

    def events(self, *types: str) -> list[Envelope]:
        """What was emitted, by service and then in order; of these types if any is named."""
        rows = [row for s in SERVICE_NAMES for row in sorted(self.rows(s, "outbox"), key=lambda r: r["position"])]
        found = [Envelope.model_validate(row["envelope"]) for row in rows]
        return [e for e in found if not types or e.type in types]


@contextmanager
def connected(postgres: EmbeddedPostgres, suffix: str = "") -> Iterator[dict[str, Connection]]:
    """A superuser's connection to every service's database, in transactions that are rolled back."""
    with ExitStack() as stack:
        found = {}
        for name in SERVICE_NAMES:
            connection = psycopg.connect(postgres.admin_url(name + suffix), row_factory=dict_row)
            stack.callback(connection.close)
            found[name] = connection
        yield found


def read(connections: Mapping[str, Connection]) -> Snapshot:
    """What is in the databases now, as each connection's transaction sees it."""
    return Snapshot({name: _tables(connection) for name, connection in connections.items()})


def taken(postgres: EmbeddedPostgres, suffix: str = "") -> Snapshot:
    """What is in the databases now; with a suffix, in the copies of that name."""
    with connected(postgres, suffix) as connections:
        return read(connections)


def _tables(connection: Connection) -> dict[str, list[Row]]:
    names = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1").fetchall()
    return {
        row["tablename"]: connection.execute(
            sql.SQL("SELECT * FROM {}").format(sql.Identifier(row["tablename"]))
        ).fetchall()
        for row in names
        if row["tablename"] != "alembic_version"
    }
