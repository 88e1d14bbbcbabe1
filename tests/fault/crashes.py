"""What the crash tests do on either bus: arm a point, play a story through the crash, compare the end."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar
from uuid import uuid4

import httpx

from infra import fiction
from infra.client import Caller, Callers, until
from infra.fiction import Firm
from infra.receiver import Receiver
from shared.codes import make_uscc
from tests.instances import Instance, running_instance

T = TypeVar("T")
TODAY = date(2026, 3, 10)


class Patient:
    """A caller who asks again, with the same key, until there is an answer."""

    def __init__(self, instance: Instance, client: str) -> None:
        self._instance, self._client = instance, client
        self._caller: Caller | None = None

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {"Idempotency-Key": uuid4().hex} | options.pop("headers", {})
        return self._insist(lambda caller: caller.request(method, path, headers=dict(headers), **options))

    def _insist(self, ask: Callable[[Caller], T]) -> T:
        for _ in range(20):
            try:
                if self._caller is None:
                    self._caller = Callers(self._instance.home / "credentials.json")[self._client]
                return ask(self._caller)
            except httpx.TransportError:
                self._caller = None
                recover(self._instance)
        raise TimeoutError("no answer after twenty tries")

    def good(self, method: str, path: str, **options: Any) -> Any:
        answer = self.request(method, path, **options)
        assert answer.is_success, (method, path, answer.status_code, answer.text)
        return answer.json()

    def job(self, path: str, content: bytes, **form: str) -> Any:
        answer = self.request("POST", path, data=form, files={"file": ("文件.xlsx", content)})
        assert answer.status_code == 202, answer.text
        place = answer.headers["Location"]
        return until(lambda: (j := self.good("GET", place))["state"] in ("succeeded", "failed") and j, 90, "the job")


def recover(instance: Instance) -> None:
    """What a supervisor does: start it again when it has ended."""
    assert instance.process is not None
    try:
        instance.process.wait(1)
    except Exception:
        instance.wait_ready()
        return
    instance.start()


@contextmanager
def armed_instance(**settings: str) -> Iterator[Instance]:
    """A running instance whose crash points a file arms."""
    with TemporaryDirectory() as folder:
        given = {"CLEANPROD_CLOCK": TODAY.isoformat(), "CLEANPROD_CRASH_FILE": f"{folder}/crash"}
        with running_instance(**(given | settings)) as running:
            yield running


@contextmanager
def listening(instance: Instance) -> Iterator[Receiver]:
    """A receiver with an active subscription to list entries."""
    receiver = Receiver().start()
    subscriber = Patient(instance, "subscriber")
    body = {"url": receiver.url, "types": ["audits.list_entry.published.v1"]}
    made = subscriber.good("POST", "/notifications/v1/subscriptions", json=body)
    subscriber.good("POST", f"/notifications/v1/subscriptions/{made['id']}/verify")
    yield receiver
    receiver.stop()


def new_firms() -> list[Firm]:
    chance = random.Random(uuid4().int)
    numbers = chance.sample(range(30_000, 20_000_000), 3)
    return [Firm(make_uscc(n, division="430200", series="MB"), f"示例{n}", "430202", "3212") for n in numbers]


def lose_and_double_nothing(instance: Instance, hook: Receiver, point: str) -> None:
    """Arm the point, tell the story to its end through the crash, and look at what is left."""
    province, firms = Patient(instance, "provincial_ecology"), new_firms()
    armed = Path(instance.settings["CLEANPROD_CRASH_FILE"])
    armed.write_text(point)
    try:
        list_id = story(province, firms)
        heard = until(lambda: _all_heard(hook, firms, instance), 90, f"the webhooks after {point}")
        until(lambda: not armed.exists(), 20, f"somebody to come by {point}")
        settled(province, list_id, firms)
        ids = {r.id for r in heard}
        assert len(ids) == len(firms), "the same event came under two ids"
        for received in heard:
            same = [r.body for r in heard if r.id == received.id]
            assert len(set(same)) == 1, "an event came with two bodies"
    except Exception as error:
        error.add_note(instance.log()[-1500:])
        raise


def _all_heard(hook: Receiver, firms: list[Firm], instance: Instance) -> list[Any]:
    if instance.process is not None and instance.process.poll() is not None:
        recover(instance)
    wanted = {f.uscc for f in firms}
    heard = [r for r in list(hook.received) if r.json["subject"] in wanted]
    return heard if {r.json["subject"] for r in heard} == wanted else []


def story(province: Patient, firms: list[Firm]) -> str:
    """Register, import, list, publish: it comes by every point."""
    one = firms[0]
    body = {"uscc": one.uscc, "name": one.name, "division": one.division, "industry": one.industry}
    assert province.request("POST", "/registry/v1/enterprises", json=body).status_code == 201
    register = fiction.register_file(firms)
    job = province.job("/registry/v1/imports", register, kind="enterprises", on_error="skip")
    assert job["state"] == "succeeded", job
    given = {"kind": "mandatory", "year": 2026, "document_no": "示例", "title": "示例"}
    made = province.good("POST", "/audits/v1/lists", json=given)
    place = f"/audits/v1/lists/{made['id']}"
    job = province.job(f"{place}/imports", fiction.list_file(firms))
    assert job["state"] == "succeeded", job
    answer = province.request("POST", f"{place}/publish", json={"published_on": TODAY.isoformat()})
    assert answer.is_success or answer.status_code == 409, answer.text
    return str(made["id"])


def settled(province: Patient, list_id: str, firms: list[Firm]) -> None:
    """One firm, one entry, one round, four obligations each; nothing set aside, nothing waiting."""
    assert province.good("GET", f"/audits/v1/lists/{list_id}")["state"] == "published"
    entries = province.good("GET", f"/audits/v1/lists/{list_id}/entries")["items"]
    assert sorted(e["uscc"] for e in entries) == sorted(f.uscc for f in firms)
    for firm in firms:
        assert province.good("GET", f"/registry/v1/enterprises/{firm.uscc}")["status"] == "active"
        rounds = province.good("GET", f"/audits/v1/rounds?uscc={firm.uscc}")["items"]
        assert len(rounds) == 1 and len(rounds[0]["obligations"]) == 4
    feed = _feed(province)
    for firm in firms:
        mine = [e for e in feed if e["subject"] == firm.uscc]
        assert [e["type"] for e in mine].count("audits.list_entry.published.v1") == 1
        assert [e["type"] for e in mine].count("audits.obligation.created.v1") == 4


def _feed(province: Patient) -> list[Any]:
    events: list[Any] = []
    cursor = ""
    while True:
        after = f"&after={cursor}" if cursor else ""
        page = province.good("GET", f"/notifications/v1/events?limit=500{after}")
        events += page["events"]
        cursor = page["cursor"]
        if not page["has_more"]:
            return events
