"""What other services would tell, told by their outboxes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from infra.system import System
from shared.db import Database
from shared.events import Event
from shared.events.audits import AcceptanceRecorded, RoundMoved
from shared.events.credit import CreditRecordPublished
from shared.events.registry import EnterpriseRegistered, FactRecorded
from shared.messaging.outbox import emit
from shared.messaging.tables import OutboxRow

FIRM, SMELTER, BANK = "91430200MA4QA0029A", "91430600MA4QA0037R", "91430100MA4QA00108"


@dataclass
class Province:
    """Tells what happens in the province, and shows what incentives has said."""

    system: System
    rounds: dict[str, UUID] = field(default_factory=dict)

    def tell(self, *events: Event) -> None:
        for event in events:
            producer = event.type.split(".")[0]
            with self.system.contexts[producer].db.begin() as tx:
                emit(tx, event)
        self.system.run_until_quiet()

    def register(self, uscc: str = FIRM, industry: str = "2614", division: str = "430202", name: str = "株洲一厂") -> None:
        self.tell(
            EnterpriseRegistered(
                uscc=uscc, name=name, division=division, industry=industry, status="active", version=1
            )
        )

    def fact(self, code: str, value: str, uscc: str = FIRM, since: str = "2025-01-01", until: str | None = None) -> None:
        self.tell(
            FactRecorded(
                fact=uuid4(),
                uscc=uscc,
                code=code,
                value=value,
                valid_from=date.fromisoformat(since),
                valid_to=date.fromisoformat(until) if until else None,
                source="测试",
                recorded_at=datetime.now(UTC),
            )
        )

    def clean(self, uscc: str = FIRM, norm: int = 2) -> None:
        """Everything about a firm that green-factory and finance programmes ask, and nothing against it."""
        for veto in ("GF_V1", "GF_V2", "GF_V3", "GF_V4", "GF_V5", "GF_V6"):
            self.fact(veto, "absent", uscc)
        self.fact("provincial_green_factory", "true", uscc)
        self.fact("plan_in_catalogue", "true", uscc)
        self.credit(norm, uscc)

    def credit(self, norm: int, uscc: str = FIRM, year: int = 2025, level: str = "province") -> None:
        self.tell(
            CreditRecordPublished(
                uscc=uscc,
                regime="HN_2023",
                evaluation_year=year,
                grade="蓝牌",
                norm=norm,
                level=level,
                published_on=date(2026, 6, 5),
            )
        )

    def move(self, state: str, uscc: str = FIRM, on: str = "2026-03-01", track: str = "mandatory") -> None:
        round_ = self.rounds.setdefault(uscc, uuid4())
        self.tell(
            RoundMoved(
                uscc=uscc,
                round=round_,
                track=track,
                state=state,
                previous="",
                division="430202",
                moved_on=date.fromisoformat(on),
            )
        )

    def accept(self, uscc: str = FIRM, on: str = "2026-10-15", result: str = "accepted", fraud: bool = False) -> None:
        self.tell(
            AcceptanceRecorded(
                uscc=uscc,
                round=self.rounds.setdefault(uscc, uuid4()),
                result=result,
                level="II" if result == "accepted" else None,
                accepted_on=date.fromisoformat(on),
                document_no="株环清审〔2026〕1号",
                track="mandatory",
                division="430202",
                fraud=fraud,
            )
        )

    def smelter(
        self, uscc: str = SMELTER, use: str = "13481", account: str | None = "0730-000001", name: str = "岳阳铝业"
    ) -> None:
        """A smelter of 岳阳 with last year's measured use."""
        self.register(uscc, "3216", "430602", name)
        self.fact("al_kwh_per_t", use, uscc, "2025-01-01", "2025-12-31")
        self.fact("renewable_share_pct", "8", uscc, "2025-01-01", "2025-12-31")
        if account is not None:
            self.fact("grid_account", account, uscc)

    def said(self, type_: str) -> list[dict[str, Any]]:
        """The data of what incentives has said, in order."""
        from sqlmodel import col, select

        with self.system.contexts["incentives"].db.read() as tx:
            rows = tx.exec(select(OutboxRow).order_by(col(OutboxRow.position))).all()
        return [row.envelope["data"] for row in rows if row.envelope["type"] == type_]

    def count(self, table: str) -> int:
        db: Database = self.system.contexts["incentives"].db
        with psycopg.connect(db.url) as connection:
            row = connection.execute(f'SELECT count(*) FROM "{table}"').fetchone()
        assert row is not None
        return int(row[0])


@pytest.fixture
def province(system: System) -> Province:
    return Province(system)


@pytest.fixture
def tamper(environment: dict[str, str]) -> Iterator[Callable[[str], None]]:
    """Change stored rows as nobody but the database's owner can."""
    with psycopg.connect(environment["INCENTIVES_OWNER_URL"], autocommit=True) as owner:
        yield lambda statement: owner.execute(statement) and None
