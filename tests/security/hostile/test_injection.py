"""Each payload through every text field to every output: nowhere more than a text, nowhere one record more."""

import io
import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx
import openpyxl
import pytest

from infra.system import System
from shared.codes import make_uscc
from shared.spreadsheets import write_rows
from tests.conftest import Api, As, shown
from tests.integration.notifications.receivers import running_receiver, send, subscribed
from tests.integration.notifications.test_event_log_and_feed import frames, served
from tests.lists import HEADERS, LIST, made_list, publish
from tests.rounds import PDF
from tests.security.hostile.payloads import (
    PAYLOADS,
    check_calendar,
    check_csv,
    check_ndjson,
    check_page,
    check_workbook,
    texts_in,
)

pytestmark = pytest.mark.slow

NOTICE = {"document_no": "湘发改价〔2026〕7号", "settlement_mode": "PROSPECTIVE", "effective_from": "2026-12-01"}
SMELTER_FACTS = {"al_kwh_per_t": "13481", "renewable_share_pct": "8"}
YEAR = {"valid_from": "2025-01-01", "valid_to": "2025-12-31", "source": "核定"}


@dataclass
class Sender:
    """Sends bodies with a payload in their text fields, and counts the answers by status."""

    sent: Counter[int] = field(default_factory=Counter)
    taken: int = 0

    def give(self, api: Api, path: str, body: dict[str, Any], *fields: str, payload: str, method: str = "POST") -> Any:
        """The payload in all these fields, then only in those that were not refused; the document that came back."""
        left = list(fields)
        while True:
            content = json.dumps(body | dict.fromkeys(left, payload)).encode()
            headers = {"Content-Type": "application/json", "If-Match": "*"}
            answer = api.request(method, path, content=content, headers=headers)
            self._count(answer)
            if answer.is_success:
                self.taken += len(left)
                return answer.json()
            refused = {fault["pointer"].split("/")[1] for fault in answer.json().get("errors", []) if fault["pointer"]}
            if not refused & set(left):
                assert not left, shown(answer)
                return None
            left = [name for name in left if name not in refused]

    def upload(self, api: Api, path: str, name: str, content: bytes, **form: str) -> httpx.Response:
        answer = api.request("POST", path, files={"file": (name, content)}, data=form)
        self._count(answer)
        return answer

    def _count(self, answer: httpx.Response) -> None:
        self.sent[answer.status_code] += 1
        assert answer.status_code < 500, shown(answer)
        if not answer.is_success:
            assert answer.headers["content-type"] == "application/problem+json", shown(answer)


@dataclass
class Filled:
    """A province whose texts are payloads, so far as they were taken."""

    system: System
    as_role: As
    province: Api
    office: Api
    sender: Sender = field(default_factory=Sender)
    imports: list[str] = field(default_factory=list)
    owners: dict[str, str] = field(default_factory=dict)
    list_id: str = ""

    def firm(self, number: int) -> str:
        return make_uscc(3_000 + number, division="430200")

    def fill(self) -> "Filled":
        for number, payload in enumerate(PAYLOADS):
            self._register(self.firm(number), payload)
            self._people(payload, number)
        self.system.run_until_quiet()
        self._list()
        self._files_of_spreadsheets()
        for number, payload in enumerate(PAYLOADS):
            self._grade(number, payload)
            self._round(self.firm(number), payload)
        self.system.run_until_quiet()
        for payload in PAYLOADS:
            path = "/incentives/v1/tier-lists/2026-11/publish"
            self.sender.give(self.office, path, NOTICE, "document_no", payload=payload)
        self.system.run_until_quiet()
        return self

    def _register(self, uscc: str, payload: str) -> None:
        give, place = self.sender.give, "/registry/v1/enterprises"
        body = {"uscc": uscc, "name": "示例", "division": "430204", "industry": "3216"}
        give(self.province, place, body, "name", "legal_representative", "address", payload=payload)
        change = {"address": "x"}
        give(self.province, f"{place}/{uscc}", change, "name", "address", payload=payload, method="PATCH")
        for code, value in SMELTER_FACTS.items():
            fact = {"code": code, "value": value} | YEAR
            give(self.province, f"{place}/{uscc}/facts", fact, "source", payload=payload)
        account = {"code": "grid_account", "value": f"0730-{uscc[-6:]}", "valid_from": "2025-01-01", "source": "核定"}
        give(self.province, f"{place}/{uscc}/facts", account, "value", "source", payload=payload)

    def _people(self, payload: str, number: int) -> None:
        give = self.sender.give
        expert = {"name": "甲", "employer_uscc": self.firm(0), "specialities": [payload], "advised": []}
        give(self.province, "/registry/v1/experts", expert, "name", payload=payload)
        institution = {"uscc": make_uscc(4_000 + number, division="430100"), "name": "x", "division": "430104"}
        give(self.province, "/registry/v1/institutions", institution, "name", payload=payload)
        give(self.province, "/registry/v1/clients", {"role": "subscriber", "name": "x"}, "name", payload=payload)
        give(self.province, "/audits/v1/lists", LIST, "document_no", "title", payload=payload)

    def _grade(self, number: int, payload: str) -> None:
        grade = {"uscc": self.firm(number), "evaluation_year": 2025, "grade": "蓝牌", "level": "province"}
        grade |= {"published_on": "2026-06-05", "document_no": "x"}
        self.sender.give(self.province, "/credit/v1/records", grade, "document_no", payload=payload)

    def _list(self) -> None:
        self.list_id = made_list(self.province)
        for industry in (True, False):  # a payload is no industry; what counts is the draft that comes last
            rows = [[p, self.firm(n), "株洲市", "石峰区", p * industry, "双有", p] for n, p in enumerate(PAYLOADS)]
            rows = [[_cell(text) for text in row] for row in rows]
            self._import(f"/audits/v1/lists/{self.list_id}/imports", HEADERS, rows)
        answer = publish(self.province, self.list_id, "2026-03-10")
        assert answer.status_code == 200, shown(answer)

    def _files_of_spreadsheets(self) -> None:
        """Every cell of a row a payload: nothing is taken, everything is told in rows and in the marked workbook."""
        for service, kind in (("registry", "enterprises"), ("credit", "records")):
            template = self.province.get(f"/{service}/v1/templates/{kind}.xlsx")
            sheet = openpyxl.load_workbook(io.BytesIO(template.content)).worksheets[0]
            headers = [str(cell.value) for cell in sheet[1] if cell.value]
            rows = [[_cell(payload)] * len(headers) for payload in PAYLOADS]
            self._import(f"/{service}/v1/imports", headers, rows, kind=kind)

    def _import(self, path: str, headers: Any, rows: list[list[str]], **form: str) -> None:
        target = io.BytesIO()
        write_rows(target, headers, rows)
        for name in ("=cmd.xlsx", '"; filename=x\r\nSet-Cookie: a=b.xlsx', "../../<script>.xlsx", "\u202e.xlsx"):
            answer = self.sender.upload(self.province, path, name, target.getvalue(), on_error="skip", **form)
            assert answer.status_code == 202, shown(answer)
            self.system.run_until_quiet()
            job = self.province.get(answer.headers["Location"]).json()
            self.imports.append(f"/{path.split('/')[1]}/v1/imports/{answer.json()['import']}")
            assert job["state"] in ("succeeded", "failed"), job

    def _round(self, uscc: str, payload: str) -> None:
        firm, give = self.as_role("enterprise", uscc=uscc), self.sender.give
        name = payload.encode("utf-8", "replace").decode()
        for filename in (name, f'{name}"; x="', f"../{name}"):
            answer = self.sender.upload(firm, "/audits/v1/files", filename, PDF)
            self.owners |= {answer.json()["id"]: uscc} if answer.status_code == 201 else {}
        for item in firm.get("/audits/v1/rounds").json()["items"]:
            place = f"/audits/v1/rounds/{item['id']}"
            disclosed = {"channel": "x", "url": "https://a.example/x", "disclosed_on": "2026-03-12"}
            give(firm, f"{place}/disclose", disclosed, "channel", "url", payload=payload)
            start = {
                "service_mode": "self",
                "ability_proof": list(self.owners)[-1],
                "leader": "x",
                "started_on": "2026-03-12",
            }
            give(firm, f"{place}/start", start, "leader", payload=payload)
            products = [{"kind": "work_plan", "data": {"note": payload, payload: payload}}]
            phase = {"phase": "P1_PREPARATION", "products": products, "completed_on": "2026-03-14"}
            give(firm, f"{place}/complete-phase", phase, payload=payload) if "\0" not in payload else None
            measure = {"name": "x", "aspect": "A2", "cost_cny": "20000"}
            give(firm, f"{place}/measures", measure, "name", "technology", "catalogue_item", payload=payload)


def _cell(text: str) -> str:
    """A text as a workbook can hold it."""
    return "".join(letter for letter in text if letter >= " " or letter in "\t\n\r").encode("utf-8", "ignore").decode()


@pytest.fixture
def filled(system: System, as_role: As) -> Filled:
    context = system.contexts["notifications"]
    context.settings = context.settings.model_copy(update={"webhook_allow": "127.0.0.0/8"})
    return Filled(system, as_role, as_role("provincial_ecology"), as_role("provincial_industry"))


def test_no_payload_is_more_than_a_text_in_any_output(
    filled: Filled, record_property: Callable[[str, object], None]
) -> None:
    reader = filled.as_role("provincial_ecology", client_id="reader")
    with running_receiver() as receiver:
        subscribed(reader, receiver)
        filled.fill()
        while send(filled.system):
            pass
        posts = [post.body for post in receiver.posts]
    found = _files(filled) + _tables(filled) + _pages(filled) + _json(filled)
    assert found == []
    feed = _feed(reader)
    assert sorted(posts) == sorted(feed)
    assert all(b"\n" not in body and b"\r" not in body for body in feed)
    with served(filled.system) as base, httpx.Client(timeout=20) as client:
        path, headers = f"{base}/notifications/v1/events/stream", {"Authorization": f"Bearer {reader._token}"}
        with client.stream("GET", path, headers=headers) as response:
            shown_events = frames(response, len(feed))
    assert [frame["data"].encode() for frame in shown_events] == feed
    record_property("texts", filled.sender.taken)
    print(
        f"{len(PAYLOADS)} payloads, {filled.sender.taken} texts taken, answers {dict(filled.sender.sent)}, {len(feed)} events"
    )


def _files(filled: Filled) -> list[str]:
    """Downloads: one attachment of that name, and no header more than of any other file."""
    found = []
    for file, owner in filled.owners.items():
        answer = filled.as_role("enterprise", uscc=owner).get(f"/audits/v1/files/{file}")
        if answer.status_code != 200 or not attached(answer):
            found.append(f"{file} {answer.status_code} {answer.headers}")
    for path in filled.imports:
        answer = filled.province.get(f"{path}/workbook")
        found += [f"{path} {cell}" for cell in check_workbook(answer.content)]
    return found


def attached(answer: httpx.Response) -> bool:
    """Whether it comes as an attachment whose name is encoded throughout, and sets nothing."""
    name = r"attachment; filename=\"[a-z.]+\"; filename\*=UTF-8''[A-Za-z0-9%._~-]*"
    return bool(re.fullmatch(name, answer.headers["content-disposition"])) and "set-cookie" not in answer.headers


def test_a_marked_workbook_is_an_attachment_of_a_harmless_name(filled: Filled) -> None:
    for name in ("../../<script>.xlsx", "..\\x.xlsx", 'a"; filename=x.xlsx', "\u202exslx.xlsx"):
        content = filled.province.get("/registry/v1/templates/enterprises.xlsx").content
        row = openpyxl.load_workbook(io.BytesIO(content))
        row.worksheets[0].append(["x"])
        target = io.BytesIO()
        row.save(target)
        form = {"kind": "enterprises"}
        answer = filled.sender.upload(filled.province, "/registry/v1/imports", name, target.getvalue(), **form)
        assert answer.status_code == 202, shown(answer)
        workbook = filled.province.get(f"/registry/v1/imports/{answer.json()['import']}/workbook")
        assert attached(workbook), workbook.headers["content-disposition"]


def _tables(filled: Filled) -> list[str]:
    province, found = filled.province, []
    for path in (f"/audits/v1/lists/{filled.list_id}/entries.xlsx", "/audits/v1/deadlines.xlsx"):
        found += [f"{path} {cell}" for cell in check_workbook(province.get(path).content)]
    found += [f"ics {line}" for line in check_calendar(province.get("/audits/v1/deadlines.ics").content)]
    path, rows = "/incentives/v1/tier-lists/2026-11", 0
    rows = province.get(path).json()["control_totals"]["rows"]
    assert rows > len(PAYLOADS) / 2
    for headers in ("zh", "en"):
        answer = province.get(path, params={"headers": headers}, headers={"Accept": "text/csv"})
        found += [f"csv {cell}" for cell in check_csv(answer.content, rows)]
    answer = province.get(path, headers={"Accept": "application/x-ndjson"})
    return found + [f"ndjson {line}" for line in check_ndjson(answer.content, rows)]


def _pages(filled: Filled) -> list[str]:
    found = []
    for payload in PAYLOADS:
        name = quote(payload.encode("utf-8", "replace"), safe="")
        for path in (
            f"/incentives/v1/rule-sets/{name}/versions/{name}",
            f"/problems/{name}",
            f"/docs/{name}",
            f"/?x={name}",
        ):
            answer = filled.province.get(path, headers={"Accept": "text/html"})
            assert answer.status_code < 500, path
            if "html" in answer.headers["content-type"]:
                found += [f"{path} {mark}" for mark in check_page(answer.text)]
            elif "json" not in answer.headers["content-type"]:
                found.append(f"{path} {answer.headers['content-type']}")
    return found


def _json(filled: Filled) -> list[str]:
    """Every listing: JSON that says it is, is not sniffed, and holds a payload exactly as it was taken."""
    paths = ["/registry/v1/enterprises", "/registry/v1/experts", "/registry/v1/institutions", "/registry/v1/clients"]
    paths += [
        "/audits/v1/lists",
        "/audits/v1/rounds",
        "/audits/v1/deadlines",
        f"/audits/v1/lists/{filled.list_id}/entries",
    ]
    paths += [f"{path}/rows" for path in filled.imports]
    found, texts = [], set[str]()
    for path in paths:
        answer = filled.province.get(path, params={"limit": 200})
        kind = answer.headers["content-type"], answer.headers["x-content-type-options"]
        if answer.status_code != 200 or kind != ("application/json", "nosniff"):
            found.append(f"{path} {answer.status_code} {kind}")
        texts |= set(texts_in(answer.json()))
    assert len(texts & set(PAYLOADS)) > len(PAYLOADS) / 2
    return found


def _feed(reader: Api) -> list[bytes]:
    """Every event that the reader may see, byte for byte as its own document."""
    found, after = [], None
    while True:
        page = reader.get("/notifications/v1/events", params={"limit": 500} | ({"after": after} if after else {}))
        document = page.json()
        found += [json.dumps(e, ensure_ascii=False, separators=(",", ":")).encode() for e in document["events"]]
        after = document["cursor"]
        if not document["has_more"]:
            return found
