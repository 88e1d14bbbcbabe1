"""Files by content and by party, and measures with their versions and classes."""

import hashlib
import io
import zipfile

import httpx

from infra.system import System
from services.audits.models import RoundState
from tests.conftest import Api, As, shown
from tests.lists import firm
from tests.rounds import PDF, put_in_state, story

PNG = b"\x89PNG\r\n\x1a\n0000"
FILES = "/audits/v1/files"


def package(*names: str) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as made:
        for name in ("[Content_Types].xml", *names):
            made.writestr(name, "<x/>")
    return target.getvalue()


def upload(api: Api, content: bytes, name: str = "a.pdf", **headers: str) -> httpx.Response:
    return api.request("POST", FILES, files={"file": (name, content)}, headers=headers)


def test_a_file_is_what_its_bytes_say_and_of_a_bearable_size(system: System, as_role: As) -> None:
    mine = as_role("enterprise", uscc=firm(1).uscc)
    office = "application/vnd.openxmlformats-officedocument"
    kinds = {
        PDF: "application/pdf",
        PNG: "image/png",
        b"\xff\xd8\xff\xe0": "image/jpeg",
        package("word/document.xml"): f"{office}.wordprocessingml.document",
        package("xl/workbook.xml"): f"{office}.spreadsheetml.sheet",
    }
    for content, media_type in kinds.items():
        made = upload(mine, content, "whatever.exe")
        assert made.status_code == 201, shown(made)
        body = made.json()
        assert (body["media_type"], body["size"]) == (media_type, len(content))
        assert body["sha256"] == hashlib.sha256(content).hexdigest()
    macro = package("xl/workbook.xml", "xl/vbaProject.bin")
    for content in (b"MZ\x90", b"PK\x03\x04 broken", package("other.xml"), macro, b"<html>%PDF-</html>"):
        assert upload(mine, content).json()["code"] == "file_kind_not_allowed"
    assert upload(mine, b"").json()["code"] == "file_empty"
    limit = 50 * 1024 * 1024
    assert upload(mine, PDF + bytes(limit - len(PDF))).status_code == 201
    large = upload(mine, PDF + bytes(limit - len(PDF) + 1))
    assert (large.status_code, large.json()["code"]) == (413, "file_too_large")
    assert upload(mine, PDF, **{"Idempotency-Key": ""}).status_code == 400
    assert upload(as_role("bank", uscc=firm(8).uscc), PDF).status_code == 403


def test_a_file_is_read_by_the_parties_of_its_rounds_as_an_attachment(system: System, as_role: As) -> None:
    play = story(system, as_role)
    other = as_role("enterprise", uscc=firm(2).uscc)
    foreign = upload(other, PDF).json()["id"]
    made = upload(play.enterprise, PDF, '../报告"\r\n.pdf').json()["id"]
    got = play.enterprise.get(f"{FILES}/{made}")
    assert (got.content, got.headers["x-content-type-options"]) == (PDF, "nosniff")
    assert got.headers["content-disposition"].startswith('attachment; filename="file.pdf"; filename*=UTF-8\'\'%E6%8A%A5')
    same = play.enterprise.get(f"{FILES}/{made}", headers={"If-None-Match": got.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")
    assert play.officer.get(f"{FILES}/{made}").status_code == 200
    strangers = (other, as_role("city_ecology", jurisdiction="4306"), as_role("institution", uscc=firm(9).uscc))
    assert [stranger.get(f"{FILES}/{made}").status_code for stranger in strangers] == [404, 404, 404]
    assert play.enterprise.get(f"{FILES}/none").status_code == 404
    body = {"service_mode": "self", "leader": "张三", "started_on": "2026-05-06"}
    stolen = play.send(play.enterprise, "start", **body, ability_proof=foreign)
    assert stolen.json()["errors"][0]["code"] == "file_unknown"
    by_officer = upload(play.officer, PNG).json()["id"]
    assert play.move("start", **body, ability_proof=by_officer)["state"] == "started"
    assert play.enterprise.get(f"{FILES}/{by_officer}").status_code == 200


def test_a_measure_has_the_class_of_its_cost_and_a_version(system: System, as_role: As) -> None:
    play = story(system, as_role, state=RoundState.STARTED)
    place = f"/audits/v1/rounds/{play.id}/measures"

    def propose(cost: object, **fields: str) -> httpx.Response:
        return play.enterprise.post(place, {"name": "方案", "aspect": "A2", "cost_cny": cost} | fields)

    classes = {
        "0": "no_cost", "50000": "low_cost", "50000.01": "medium_cost", "500000": "medium_cost", "500000.01": "high_cost"
    }  # fmt: skip
    for cost, named in classes.items():
        made = propose(cost).json()
        assert (made["cost_class"], made["status"], made["version"]) == (named, "proposed", 1)
    assert made["cost_cny"] == "500000.01"
    for wrong in ("-1", "0.001", "NaN", "many"):
        assert propose(wrong).status_code == 422
    assert propose("1", aspect="A9").status_code == 422
    one = f"{place}/{made['id']}"
    assert play.officer.patch(one, {}).status_code == 403
    assert play.enterprise.patch(one, {"status": "done"}).status_code == 428
    assert play.enterprise.patch(one, {"status": "verified"}, headers={"If-Match": '"1"'}).status_code == 422
    done = play.enterprise.patch(one, {"status": "done"}, headers={"If-Match": '"1"'})
    assert (done.json()["status"], done.headers["ETag"]) == ("done", '"2"')
    assert play.enterprise.patch(one, {"status": "done"}, headers={"If-Match": '"1"'}).status_code == 412
    back = play.enterprise.patch(one, {"status": "dropped"}, headers={"If-Match": '"2"'})
    assert (back.status_code, back.json()["code"]) == (409, "move_not_allowed")
    assert play.enterprise.get(one).json()["version"] == 2
    assert as_role("enterprise", uscc=firm(2).uscc).get(one).status_code == 404
    put_in_state(system, play.id, RoundState.EVAL_IN_REVIEW)
    assert propose("1").status_code == 409
    assert play.enterprise.patch(one, {"name": "x"}, headers={"If-Match": '"2"'}).status_code == 409
