"""Made lists for tests: known enterprises, a list file, a published list."""

from dataclasses import dataclass
from datetime import date
from io import BytesIO
from typing import Any

from infra.system import System
from services.audits.actions.copies import keep_enterprise
from services.audits.models import EnterpriseCopy
from shared.codes import make_uscc
from shared.spreadsheets import write_rows
from tests.conftest import Api

HEADERS = ("企业名称", "统一社会信用代码", "所在市州", "所在县市区", "行业", "纳入原因", "备注")
LIST = {
    "kind": "mandatory",
    "year": 2026,
    "document_no": "湘环示例〔2026〕1号",
    "title": "2026年强制性清洁生产审核名单",
}
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@dataclass(frozen=True)
class Firm:
    """A made-up firm in a county of 株洲 unless said otherwise."""

    uscc: str
    name: str
    city: str = "株洲市"
    county: str = "石峰区"
    division: str = "430204"

    def row(self, reasons: str = "双有", **cells: str) -> list[str]:
        """The firm as a row of a list."""
        known = {
            "企业名称": self.name,
            "统一社会信用代码": self.uscc,
            "所在市州": self.city,
            "所在县市区": self.county,
            "纳入原因": reasons,
        } | cells
        return [known.get(header, "") for header in HEADERS]


def firm(number: int, **fields: str) -> Firm:
    return Firm(make_uscc(number, division="430200"), f"株洲示例{number}有限公司", **fields)


def yueyang(number: int) -> Firm:
    return firm(number, city="岳阳市", county="云溪区", division="430603")


def know(system: System, *firms: Firm, **fields: Any) -> None:
    """Let audits know firms as the registry would tell them."""
    with system.contexts["audits"].db.begin() as tx:
        for one in firms:
            told: dict[str, Any] = {"industry": "3360", "status": "active", "version": 1} | fields
            keep_enterprise(tx, EnterpriseCopy(uscc=one.uscc, name=one.name, division=one.division, **told))


def list_file(rows: list[list[str]]) -> bytes:
    target = BytesIO()
    write_rows(target, HEADERS, rows)
    return target.getvalue()


def made_list(api: Api, **fields: Any) -> str:
    answer = api.post("/audits/v1/lists", LIST | fields)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def imported(
    system: System, api: Api, list_id: str, content: bytes, name: str = "list.xlsx", **form: str
) -> dict[str, Any]:
    """The finished job of an import into a list."""
    answer = api.request(
        "POST", f"/audits/v1/lists/{list_id}/imports", files={"file": (name, content, XLSX)}, data=form
    )
    assert answer.status_code == 202, answer.text
    system.run_until_quiet()
    job: dict[str, Any] = api.get(answer.headers["Location"]).json()
    return job


def publish(api: Api, list_id: str, day: str) -> Any:
    return api.post(f"/audits/v1/lists/{list_id}/publish", {"published_on": day})


def published_list(system: System, api: Api, day: str, *rows: list[str]) -> list[dict[str, Any]]:
    """A published list of these rows; its entries in order."""
    list_id = made_list(api)
    job = imported(system, api, list_id, list_file([*rows]))
    assert job["state"] == "succeeded", job
    answer = publish(api, list_id, day)
    assert answer.status_code == 200, answer.text
    entries: list[dict[str, Any]] = api.get(f"/audits/v1/lists/{list_id}/entries?limit=500").json()["items"]
    return entries


def daily_on(system: System, day: date) -> None:
    """Move the legal calendar to a day and do its daily jobs."""
    system.contexts["audits"].clock.move_to(day)
    system.daily()
    system.run_until_quiet()


def told(system: System, type_name: str) -> list[dict[str, Any]]:
    """The data of every event of a type that audits has told, in order."""
    from sqlmodel import col, select

    from shared.messaging.tables import OutboxRow

    with system.contexts["audits"].db.read() as tx:
        rows = tx.exec(select(OutboxRow).order_by(col(OutboxRow.position))).all()
    return [row.envelope["data"] for row in rows if row.envelope["type"] == f"audits.{type_name}.v1"]
