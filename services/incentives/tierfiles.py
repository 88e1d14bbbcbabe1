"""The bytes of a tier list: NDJSON and CSV rows, digests and control totals, the same wherever they are made."""

import base64
import csv
import hashlib
import io
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from services.incentives import rules
from services.incentives.engine import canon
from services.incentives.engine.tariff import rate_text
from services.incentives.models import TierEntry

NDJSON, CSV, CSV_ZH = "ndjson", "csv", "csv_zh"
MEDIA = {NDJSON: "application/x-ndjson", CSV: "text/csv; charset=utf-8", CSV_ZH: "text/csv; charset=utf-8"}
BOM = b"\xef\xbb\xbf"
PIECE = 512 * 1024
FORMULA_LEADS = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?", re.ASCII)
COLUMNS = (
    "entry_id", "list_version", "account_no", "uscc", "name", "instrument", "price_year", "data_year", "metric_value",
    "threshold", "rate_yuan_per_kwh", "effective_from", "effective_to", "supersedes", "legal_basis",
)  # fmt: skip


def row_of(entry: TierEntry) -> dict[str, Any]:
    """A row as the contract names it: decimals as strings, days as dates."""
    return {
        "entry_id": str(entry.id),
        "list_version": entry.list_version,
        "account_no": entry.account_no,
        "uscc": entry.uscc,
        "name": entry.name,
        "instrument": entry.instrument,
        "price_year": entry.price_year,
        "data_year": entry.data_year,
        "metric_value": canon.plain_decimal(entry.metric_value),
        "threshold": canon.plain_decimal(entry.threshold),
        "rate_yuan_per_kwh": rate_text(entry.rate_yuan_per_kwh),
        "effective_from": entry.effective_from.isoformat(),
        "effective_to": entry.effective_to.isoformat() if entry.effective_to else None,
        "supersedes": str(entry.supersedes) if entry.supersedes else None,
        "legal_basis": entry.legal_basis,
    }


def digest_of(content: bytes) -> str:
    """The value of a Content-Digest field (RFC 9530)."""
    return _field(hashlib.sha256(content))


def _field(sha: Any) -> str:
    return f"sha-256=:{base64.b64encode(sha.digest()).decode()}:"


def head_of(format_: str) -> bytes:
    """What a file begins with: for CSV the byte order mark and the header row, for NDJSON nothing."""
    if format_ == NDJSON:
        return b""
    headers = rules.tier_policy().headers
    return BOM + _csv_line([headers[name] if format_ == CSV_ZH else name for name in COLUMNS])


def _csv_line(values: Iterable[Any]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(["" if value is None else _inert(value) for value in values])
    return text.getvalue().encode()


def _inert(value: Any) -> Any:
    """A text that a spreadsheet would calculate is led by an apostrophe; a number is left as it is (OWASP, CSV injection)."""
    if isinstance(value, str) and value.startswith(FORMULA_LEADS) and not _NUMBER.fullmatch(value):
        return f"'{value}"
    return value


@dataclass
class Totals:
    """Control totals of a list: what the reader adds up again."""

    rows: int = 0
    rate_sum: Decimal = Decimal(0)
    metric_sum: Decimal = Decimal(0)
    by_rate: Counter[str] = field(default_factory=Counter)

    def add(self, entry: TierEntry) -> None:
        self.rows += 1
        self.rate_sum += entry.rate_yuan_per_kwh
        self.metric_sum += entry.metric_value
        self.by_rate[rate_text(entry.rate_yuan_per_kwh)] += 1

    def as_json(self) -> dict[str, Any]:
        return {
            "rows": self.rows,
            "rate_yuan_per_kwh": rate_text(self.rate_sum),
            "metric_value": canon.plain_decimal(self.metric_sum),
            "by_rate": dict(sorted(self.by_rate.items(), key=lambda item: Decimal(item[0]))),
        }


class Writer:
    """Makes the files of a list row by row; `pieces` yields what is ready, `finish` the rest."""

    def __init__(self) -> None:
        self.totals = Totals()
        self._rows = {NDJSON: bytearray(), CSV: bytearray()}
        self._sha = {format_: hashlib.sha256(head_of(format_)) for format_ in MEDIA}
        self._size = {format_: len(head_of(format_)) for format_ in MEDIA}

    def add(self, entry: TierEntry) -> None:
        row = row_of(entry)
        line = json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        comma = _csv_line(row[name] for name in COLUMNS)
        self._rows[NDJSON] += line
        self._rows[CSV] += comma
        for format_, part in ((NDJSON, line), (CSV, comma), (CSV_ZH, comma)):
            self._sha[format_].update(part)
            self._size[format_] += len(part)
        self.totals.add(entry)

    def pieces(self, at_least: int = PIECE) -> Iterator[tuple[str, bytes]]:
        """What has grown to a piece, by format; both CSV files share their rows."""
        for format_, rows in self._rows.items():
            if len(rows) >= at_least:
                yield format_, bytes(rows)
                rows.clear()

    @property
    def digests(self) -> dict[str, str]:
        return {format_: _field(sha) for format_, sha in self._sha.items()}

    @property
    def sizes(self) -> dict[str, int]:
        return dict(self._size)
