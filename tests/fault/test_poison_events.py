"""F13: no event, however bad, stops a partition, is lost, or keeps a consumer dying."""

import base64
import json
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from infra.client import until
from infra.system import System
from shared.db import Database
from shared.events import Envelope
from shared.events.registry import EnterpriseRegistered
from shared.messaging.inbox import redrive
from shared.messaging.postgres import PostgresBus
from shared.messaging.quarantine import TRIES
from tests.fault.consuming import mended
from tests.lists import firm

FIRM = EnterpriseRegistered.type
SICK, WELL = firm(1).uscc, firm(2).uscc


def registered(subject: str, version: int = 1, name: str = "示例", **changes: Any) -> Envelope:
    data = EnterpriseRegistered(
        uscc=subject, name=name, division="430202", industry="3212", status="active", version=version
    ).model_dump(mode="json")
    told: dict[str, Any] = {"type": FIRM, "data": data} | changes
    now = datetime.now(UTC)
    return Envelope(id=uuid.uuid4(), source="registry", subject=subject, time=now, correlation_id="c", **told)


def raw(**changes: Any) -> bytes:
    """An envelope as JSON with members changed or, where None, taken out."""
    document = json.loads(registered(SICK).model_dump_json()) | changes
    return json.dumps({name: value for name, value in document.items() if value is not None}).encode()


def append(db: Database, *values: bytes) -> None:
    """Records on the topic as somebody who is not our producer would write them."""
    with db.plain() as connection:
        for value in values:
            connection.execute("INSERT INTO log (topic, key, value) VALUES ('registry.events', 'k', %s)", [value])


def letters(db: Database) -> list[tuple[str, str]]:
    with db.read() as tx:
        rows = tx.execute(sa.text("SELECT subject, reason FROM dead_letter ORDER BY position"))
        return [(row.subject, row.reason) for row in rows]


def names(db: Database) -> dict[str, str]:
    with db.read() as tx:
        return {row.uscc: row.name for row in tx.execute(sa.text("SELECT uscc, name FROM enterprise_copy"))}


NO_EVENT = {
    "bad JSON": b'{"id": ',
    "not UTF-8": b'{"id": "\xff\xfe"}',
    "nothing": b"",
    "a list": b"[1, 2, 3]",
    "two megabytes of nothing": b"\x00" * 2_000_000,
    "two megabytes of JSON": b'{"x": "' + b"a" * 2_000_000 + b'"}',
    "no id": raw(id=None),
    "an id that is none": raw(id="1; DROP TABLE inbox"),
    "data that is no object": raw(data=[1]),
    "a time that is none": raw(time="yesterday"),
    "a NUL in a subject": raw(subject="91\0"),
}
# Right as an envelope, and for some even right by the event's schema; impossible all the same.
IMPOSSIBLE: dict[str, Callable[[str], Envelope]] = {
    "a NUL in a name": lambda uscc: registered(uscc, name="株\0洲"),
    "a version beyond numbers": lambda uscc: registered(uscc, version=10**30),
    "data without what it needs": lambda uscc: registered(uscc, data={"uscc": uscc}),
    "data of another kind": lambda uscc: registered(uscc, data={"uscc": uscc, "name": {"zh": 1}, "version": "one"}),
}
HARMLESS = {
    "an unknown type": registered(SICK, type="registry.enterprise.dreamt.v1", data={}),
    "an unknown version": registered(SICK, type="registry.enterprise.registered.v9", data={"uscc": SICK}),
    "an unknown type of two megabytes": registered(SICK, type="registry.x.y.v1", data={"x": "a" * 2_000_000}),
}


def played(system: System, records: Sequence[bytes]) -> Database:
    """The records between two good events; everybody comes to the end of the log."""
    assert isinstance(system.bus, PostgresBus)
    before, after = (registered(WELL, n, name).model_dump_json().encode() for n, name in ((1, "先"), (2, "后")))
    append(system.bus._db, before, *records, after)
    system.run_until_quiet()
    assert system.quiet
    for service in ("audits", "credit", "incentives"):
        assert names(system.contexts[service].db)[WELL] == "后"
    return system.contexts["credit"].db


def test_what_is_no_event_is_kept_as_it_came_and_holds_up_nobody(system: System) -> None:
    db = played(system, list(NO_EVENT.values()))
    with db.read() as tx:
        kept = [
            row.content["base64"] for row in tx.execute(sa.text("SELECT content FROM dead_letter ORDER BY position"))
        ]
    assert [base64.b64decode(text) for text in kept] == list(NO_EVENT.values())
    assert {subject for subject, _ in letters(db)} == {""}
    assert all("validation error" in reason or "NUL" in reason for _, reason in letters(db))


def test_an_impossible_event_parks_its_subject_alone_and_is_redriven_when_mended(system: System) -> None:
    sick = {what: firm(n).uscc for n, what in enumerate(IMPOSSIBLE, 10)}
    bad = {what: told(sick[what]) for what, told in IMPOSSIBLE.items()}
    later = [registered(uscc, 3, "后来") for uscc in sick.values()]
    db = played(system, [e.model_dump_json().encode() for e in (*bad.values(), *later)])
    assert sorted(subject for subject, _ in letters(db)) == sorted([*sick.values()] * 2)
    assert names(db).keys() == {WELL}
    credit = next(s for s in system.services if s.name == "credit")
    for what, uscc in sick.items():
        with db.begin() as tx:  # the same event, as its producer meant it
            good = bad[what].model_copy(update={"data": registered(uscc, 2, "改正").data})
            mend = sa.text("UPDATE dead_letter SET content = CAST(:content AS jsonb) WHERE event_id = :id")
            tx.execute(mend, {"content": good.model_dump_json(), "id": good.id})
        assert redrive(uscc, credit.handlers, db) == 2, what
        assert names(db)[uscc] == "后来", what
    assert letters(db) == []


def test_what_this_release_does_not_know_is_skipped(system: System) -> None:
    events = [*HARMLESS.values(), registered(SICK)]
    db = played(system, [e.model_dump_json().encode() for e in events])
    assert (letters(db), names(db)[SICK]) == ([], "示例")


class Worker:
    """A consumer process and its supervisor, who counts the deaths."""

    def __init__(self, poison: str) -> None:
        self._command = [sys.executable, "-m", "tests.fault.consuming", poison]
        self._process = self._started()
        self.deaths = 0

    def _started(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def looked_after(self) -> None:
        if self._process.poll() is not None:
            self.deaths += 1
            self._process = self._started()

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture
def killed() -> Iterator[Worker]:
    worker = Worker("kill")
    yield worker
    worker.stop()


def handled(db: Database) -> set[str]:
    with db.read() as tx:
        return {str(row.event_id) for row in tx.execute(sa.text("SELECT event_id FROM inbox"))}


def test_an_event_that_ends_its_process_is_set_aside_after_a_few_deaths(system: System, killed: Worker) -> None:
    assert isinstance(system.bus, PostgresBus)
    db = system.contexts["credit"].db
    sent = [
        registered(WELL, 1),
        registered(SICK, 1),
        registered(SICK, 2, "毒"),
        registered(SICK, 3),
        registered(WELL, 2),
    ]
    good = {str(e.id) for e in (sent[0], sent[1], sent[4])}
    system.bus.publish(sent)

    def settled() -> bool:
        killed.looked_after()
        return handled(db) >= good and len(letters(db)) == 2

    until(settled, 120, "the consumer past the poison")
    assert handled(db) == good
    # Once with its whole batch in hand, then by itself as often as is allowed.
    assert killed.deaths == 1 + TRIES
    (first, reason), (second, _) = letters(db)
    assert (first, second) == (SICK, SICK) and f"ended {TRIES} times" in reason
    assert mended(SICK) == 2
    assert handled(db) == {str(e.id) for e in sent}


def test_a_death_that_no_event_is_to_blame_for_sets_nothing_aside(system: System) -> None:
    assert isinstance(system.bus, PostgresBus)
    db, sent = system.contexts["credit"].db, [registered(firm(n).uscc) for n in range(40)]
    with db.plain() as connection:  # a process was killed twice with the first of them in its hand
        from shared.messaging.quarantine import _mark

        mark = _mark(b"batch", sent[0].model_dump_json().encode())
        connection.execute("INSERT INTO in_hand (mark, tries) VALUES (%s, 7)", [mark])
    worker = Worker("none")
    try:
        system.bus.publish(sent)
        until(lambda: len(handled(db)) == 40, 60, "the events")
        system.bus.publish([registered(WELL, 9)])
        until(lambda: len(handled(db)) == 41, 60, "the next batch")
    finally:
        worker.stop()
    assert letters(db) == []
    with db.read() as tx:
        assert tx.execute(sa.text("SELECT max(tries) FROM in_hand")).scalar() == 1
