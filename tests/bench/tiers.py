"""The utility streams a month's tier list; its rows are laid straight into the tables as a publication leaves them."""

import http.client
import os
import time
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import psycopg
from sqlmodel import Session

from services.incentives.models import TierEntry, TierFile, TierList
from services.incentives.tierfiles import CSV, CSV_ZH, PIECE, Writer, head_of
from shared.clock import utc_now
from shared.db import Database
from tests.bench.machine import Memory
from tests.bench.measure import Figure, Scale, in_turns
from tests.bench.stage import Stage, outcome

PERIOD, FROM = "2026-05", date(2026, 5, 1)
PATH = f"/incentives/v1/tier-lists/{PERIOD}"
COLUMNS = (
    "id", "list_id", "position", "list_version", "account_no", "uscc", "name", "division", "instrument", "price_year",
    "data_year", "metric_value", "threshold", "rate_yuan_per_kwh", "effective_from", "legal_basis", "facts",
    "rule_set_hash", "result_hash",
)  # fmt: skip


def figures(stage: Stage, scale: Scale) -> list[Figure]:
    count, memory = scale.of(100_000, 20_000), Memory(stage.pid)
    url = stage.url("incentives")
    list_id = _lay(url, count)
    os.environ["DATABASE_URL"] = url
    memory.reset()
    before = memory.now
    floor, ndjson, csv = in_turns(
        scale.of(5, 3),
        lambda: outcome("tests.bench.floors.copy_out", str(list_id), str(count)),
        lambda: _stream(stage, "application/x-ndjson", count),
        lambda: _stream(stage, "text/csv", count + 1),
    )
    note = f"memory of the server: {before:.0f} MiB before, {memory.peak:.0f} MiB at its peak"
    return [
        Figure(f"tier list of {count:,} rows, NDJSON", ndjson, floor, "rows/s", 0.3, note=note),
        Figure(f"tier list of {count:,} rows, CSV", csv, floor, "rows/s", 0.3),
    ]


def _stream(stage: Stage, media: str, lines: int) -> float:
    token, place = stage.callers["utility"].token(), urlsplit(stage.instance.base)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=120)
    began, found = time.perf_counter(), 0
    connection.request("GET", PATH, headers={"Accept": media, "Authorization": f"Bearer {token}"})
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    while piece := answer.read(1 << 18):
        found += piece.count(b"\n")
    connection.close()
    assert found == lines, found
    return lines / (time.perf_counter() - began)


def _lay(url: str, count: int) -> UUID:
    list_id, writer = uuid4(), Writer()
    with psycopg.connect(url) as database:
        with database.cursor().copy(f"COPY tier_entry ({', '.join(COLUMNS)}) FROM STDIN") as rows:
            for entry in _entries(list_id, count):
                rows.write_row([_cell(getattr(entry, name)) for name in COLUMNS])
                writer.add(entry)
        database.commit()
    db = Database(url, pool=1)
    with db.begin() as tx:
        _frozen(tx, list_id, writer)
        tx.add(_head(list_id, writer))
    db.dispose()
    return list_id


def _frozen(tx: Session, list_id: UUID, writer: Writer) -> None:
    """The files in pieces, as `publish` stores them; each CSV begins with its header row."""
    for name in (CSV, CSV_ZH):
        tx.add(TierFile(list_id=list_id, format=name, part=0, content=head_of(name)))
    for name, content in writer.pieces(1):
        first = 1 if name == CSV else 0
        for part, at in enumerate(range(0, len(content), PIECE), first):
            tx.add(TierFile(list_id=list_id, format=name, part=part, content=content[at : at + PIECE]))


def _head(list_id: UUID, writer: Writer) -> TierList:
    return TierList(
        id=list_id,
        period=PERIOD,
        version=1,
        document_no="湘工信〔2026〕1号",
        settlement_mode="PROSPECTIVE",
        effective_from=FROM,
        published_at=utc_now(),
        published_by="bench",
        rows=writer.totals.rows,
        control_totals=writer.totals.as_json(),
        digests=writer.digests,
        sizes=writer.sizes,
    )


def _entries(list_id: UUID, count: int) -> Iterator[TierEntry]:
    for number in range(count):
        yield TierEntry(
            list_id=list_id,
            position=number + 1,
            list_version=1,
            account_no=f"4302{number:010d}",
            uscc=f"91430200MX{number:07d}A",
            name=f"株洲示例铝业{number}有限公司",
            division="430202",
            instrument="tariff.electrolytic_aluminium",
            price_year=2026,
            data_year=2025,
            metric_value=Decimal("13650") + number % 700,
            threshold=Decimal("13650"),
            rate_yuan_per_kwh=Decimal("0.01") * (number % 7),
            effective_from=FROM,
            legal_basis="NDRC-2021-1239#二",
            facts={},
            rule_set_hash="0" * 64,
            result_hash="0" * 64,
        )


def _cell(value: object) -> object:
    return "{}" if value == {} else value
