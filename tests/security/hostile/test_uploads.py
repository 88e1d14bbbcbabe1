"""Hostile files: refused with the contract's code or judged row by row, nothing changed, memory bounded."""

from collections.abc import Callable
from functools import cache

import psycopg
import pytest

from infra.system import System
from services.audits.actions.files import MAX_FILE
from shared.spreadsheets import LIMITS
from tests.conftest import Api, As, shown
from tests.lists import made_list
from tests.security.hostile.memory import growth
from tests.security.hostile.uploads import CORPUS, Sent

ROUTES = {
    "registry": "/registry/v1/imports",
    "credit": "/credit/v1/imports",
    "audits": "/audits/v1/lists/{list}/imports",
}
FORMS = {"registry": {"kind": "enterprises"}, "credit": {"kind": "records"}, "audits": {}}
KEPT = {"registry": ("enterprise", "outbox"), "credit": ("credit_record", "outbox"), "audits": ("list_entry", "outbox")}
# A file is held as it came (by the client, the form, the parser, the row), unpacked, and as cells.
MOST_MEMORY = LIMITS.unpacked_bytes + LIMITS.text_bytes + 4 * LIMITS.file_bytes
Record = Callable[[str, object], None]


@cache
def made(sent: Sent) -> bytes:
    return sent.make()


def counts(system: System, service: str) -> list[int]:
    """How many rows there are of what an import would change."""
    with psycopg.connect(system.contexts[service].db.url) as connection:
        found = [connection.execute(f'SELECT count(*) FROM "{table}"').fetchone() for table in KEPT[service]]
    return [row[0] for row in found if row]


def outcome(api: Api, system: System, path: str, form: dict[str, str], sent: Sent) -> str:
    """The code that refuses the file, at once or as a job; empty where it was taken."""
    answer = api.request("POST", path, data=form, files={"file": (sent.name, made(sent))})
    if answer.status_code != 202:
        document = answer.json()
        assert answer.headers["content-type"] == "application/problem+json" and document["request_id"], shown(answer)
        assert answer.status_code == (413 if document["code"] == "file_too_large" else 422), shown(answer)
        return str(document["code"])
    system.run_until_quiet()
    job = api.get(answer.headers["Location"]).json()
    assert job["state"] in ("succeeded", "failed"), job
    return "" if job["state"] == "succeeded" else f"job {job['error']['code']}"


@pytest.mark.parametrize("service", ROUTES)
def test_a_hostile_file_is_refused_and_changes_nothing(
    service: str, system: System, as_role: As, record_property: Record
) -> None:
    api = as_role("provincial_ecology")
    path = ROUTES[service].format(list=made_list(api) if service == "audits" else "")
    wrong, peaks = [], {}
    for sent in CORPUS:
        before = counts(system, service)
        made(sent)  # once for all tests: what making it takes is not what the product needs
        with growth() as grown:
            code = outcome(api, system, path, FORMS[service], sent)
        peaks[sent.what] = grown.peak
        expected = code in sent.codes or ("" in sent.codes and code.startswith(("job ", "column_")))
        if not expected or (code and counts(system, service) != before):
            wrong.append((sent.what, code, sent.codes, before, counts(system, service)))
    assert wrong == []
    assert {what: peak >> 20 for what, peak in peaks.items() if peak > MOST_MEMORY} == {}
    record_property("files", len(CORPUS))
    print(f"{service}: {len(CORPUS)} files, at most {max(peaks.values()) >> 20} MiB more")


def test_a_file_of_a_round_is_kept_as_bytes_and_never_unpacked(as_role: As, record_property: Record) -> None:
    api, kept = as_role("city_ecology", jurisdiction="4302"), 0
    for sent in CORPUS:
        content = made(sent)
        with growth() as grown:
            answer = api.request("POST", "/audits/v1/files", files={"file": (f"../../{sent.name}\r\n\0", content)})
        assert grown.peak < 2 * MAX_FILE, sent.what
        assert answer.status_code in (201, 422), shown(answer)
        if answer.status_code == 422:
            assert answer.json()["code"] in ("file_kind_not_allowed", "file_empty"), shown(answer)
            continue
        kept += 1
        read = api.get(f"/audits/v1/files/{answer.json()['id']}")
        assert read.content == content and read.headers["content-disposition"].startswith("attachment")
        assert (
            read.headers["x-content-type-options"] == "nosniff" and "sandbox" in read.headers["content-security-policy"]
        )
    record_property("files", len(CORPUS))
    print(f"files: {len(CORPUS)} files, {kept} kept")


def test_a_file_of_a_round_over_its_limit_is_refused(as_role: As) -> None:
    api = as_role("city_ecology", jurisdiction="4302")
    answer = api.request("POST", "/audits/v1/files", files={"file": ("x.pdf", b"%PDF-" + bytes(MAX_FILE - 4))})
    assert (answer.status_code, answer.json()["code"]) == (413, "file_too_large"), shown(answer)
    answer = api.request("POST", "/audits/v1/files", files={"file": ("x.pdf", b"%PDF-" + bytes(MAX_FILE - 5))})
    assert answer.status_code == 201, shown(answer)
