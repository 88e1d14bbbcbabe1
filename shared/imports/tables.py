"""Tables of imports: the file as it came, and what is wrong with its rows."""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlmodel import Field

from shared.clock import utc_now
from shared.db import Json, Utc
from shared.messaging.tables import Table


class ImportFile(Table, table=True):
    """A file that somebody asked to import, with how; `marks` are what measuring it found."""

    __tablename__ = "import_file"
    id: UUID = Field(default_factory=uuid4, primary_key=True)
    kind: str
    owner: str
    jurisdiction: str = ""
    role: str = ""
    filename: str
    content: bytes = Field(sa_column=sa.Column(sa.LargeBinary, nullable=False))
    dry_run: bool
    on_error: str
    parameters: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    marks: dict[str, Any] | None = Field(default=None, sa_type=Json)
    made_at: datetime = Field(
        default_factory=utc_now, sa_type=Utc, sa_column_kwargs={"server_default": sa.text("now()")}
    )


class ImportRow(Table, table=True):
    """One problem at one cell of an imported file, in the order of the file."""

    __tablename__ = "import_row"
    import_id: UUID = Field(foreign_key="import_file.id", primary_key=True)
    number: int = Field(primary_key=True)
    sheet: str
    row: int
    column: str
    header: str
    value: str
    severity: str
    code: str
    message: dict[str, str] = Field(sa_type=Json)
    suggestion: str | None = None
    extra: dict[str, Any] = Field(default_factory=dict, sa_type=Json)

    def as_json(self) -> dict[str, Any]:
        shown = {
            "sheet": self.sheet,
            "row": self.row,
            "column": self.column,
            "header": self.header,
            "value": self.value,
            "severity": self.severity,
            "code": self.code,
            "message": self.message,
            "suggestion": self.suggestion,
        }
        return shown | self.extra
