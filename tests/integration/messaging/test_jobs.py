"""A job has one effect, whatever becomes of its workers."""

import threading
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from sqlmodel import col, select

from shared.clock import Clock
from shared.db import Database
from shared.jobs import MAX_ATTEMPTS, Job, JobFailed, JobKind, Work, enqueue, run_jobs, run_one
from shared.problems import Text
from shared.tracing import caused_by, correlation_id
from tests.integration.messaging.effects import Running, add_effect, effects, until

Owner = psycopg.Connection[tuple[object, ...]]


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    clock = Clock(tmp_path / "clock")
    clock.move_to(date(2026, 11, 20))
    return clock


def queued(db: Database, kind: str = "count") -> Job:
    with db.begin() as tx:
        return enqueue(tx, Job(kind=kind, owner="me"))


def now(db: Database, job: Job) -> Job:
    with db.read() as tx:
        return tx.exec(select(Job).where(col(Job.id) == job.id)).one()


def count(work: Work) -> dict[str, Any]:
    add_effect(work.tx, "job", str(work.job.id), work.job.attempt)
    work.tell(1, 1)
    return {"today": work.today.isoformat(), "correlation": correlation_id.get()}


KINDS = (JobKind("count", count),)


def test_a_job_is_done_once_with_its_result(db: Database, clock: Clock) -> None:
    with caused_by("r-1", "", None):
        job = queued(db)
    assert (run_one(KINDS, db, clock), run_one(KINDS, db, clock)) == (True, False)
    done = now(db, job)
    assert (done.state, done.result) == ("succeeded", {"today": "2026-11-20", "correlation": "r-1"})
    assert (done.rows_done, done.rows_total, len(effects(db, "job"))) == (1, 1, 1)


def test_a_job_that_was_not_committed_is_not_done(db: Database, clock: Clock) -> None:
    with pytest.raises(ValueError, match="no"), db.begin() as tx:
        enqueue(tx, Job(kind="count", owner="me"))
        raise ValueError("no")
    assert not run_one(KINDS, db, clock)


def test_a_job_whose_worker_died_is_done_again_after_its_lease(db: Database, clock: Clock, owner: Owner) -> None:
    job = queued(db)

    def die(work: Work) -> dict[str, Any]:
        count(work)
        raise SystemExit("power cut")

    with pytest.raises(SystemExit):
        run_one((JobKind("count", die),), db, clock)
    assert (now(db, job).state, effects(db, "job")) == ("running", [])
    assert not run_one(KINDS, db, clock), "the lease holds"
    owner.execute("UPDATE job SET lease_until = now() - interval '1 second'")
    assert run_one(KINDS, db, clock)
    assert (now(db, job).state, effects(db, "job")) == ("succeeded", [(str(job.id), 2)])


@pytest.mark.parametrize("ending", ["returns", "fails", "breaks"])
def test_a_worker_that_lost_its_lease_writes_nothing_whatever_its_end(
    db: Database, clock: Clock, owner: Owner, ending: str
) -> None:
    job, entered, go = queued(db), threading.Event(), threading.Event()

    def slow(work: Work) -> dict[str, Any]:
        add_effect(work.tx, "job", "slow", work.job.attempt)
        entered.set()
        assert go.wait(20)
        work.tell(7, 700)
        if ending == "fails":
            raise JobFailed("late", Text("迟", "late"), keep=lambda tx: add_effect(tx, "job", "kept", 0))
        if ending == "breaks":
            raise ValueError("late")
        return {"slow": True}

    with Running(lambda stop: run_one((JobKind("count", slow),), db, clock)) as first:
        assert entered.wait(20)
        owner.execute("UPDATE job SET lease_until = now() - interval '1 second'")
        assert run_one(KINDS, db, clock)
        go.set()
        first.join()
    done = now(db, job)
    assert (done.state, done.error, done.rows_total) == ("succeeded", None, 1)
    assert effects(db, "job") == [(str(job.id), 2)]


def test_two_workers_share_the_jobs_and_each_has_one_effect(db: Database, clock: Clock) -> None:
    jobs = [queued(db) for _ in range(12)]
    with Running(lambda stop: run_jobs(KINDS, db, clock, stop)), Running(lambda stop: run_jobs(KINDS, db, clock, stop)):
        until(lambda: all(now(db, job).state == "succeeded" for job in jobs))
    assert sorted(effects(db, "job")) == sorted((str(job.id), 1) for job in jobs)


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (JobFailed("bad_rows", Text("坏", "bad"), result={"rejected": 2}, errors=[1]), "bad_rows"),
        (ValueError("secret inner detail"), "internal_error"),
    ],
)
def test_a_failure_leaves_nothing_written_and_keeps_its_error(
    db: Database, clock: Clock, raised: Exception, code: str
) -> None:
    job = queued(db)

    def fail(work: Work) -> dict[str, Any]:
        count(work)
        raise raised

    assert run_one((JobKind("count", fail),), db, clock)
    ended = now(db, job)
    assert ended.state == "failed" and ended.error is not None and ended.error["code"] == code
    assert "secret" not in str(ended.error)
    assert effects(db, "job") == []
    assert not run_one(KINDS, db, clock)


def test_a_commit_that_fails_fails_the_job(db: Database, clock: Clock) -> None:
    job = queued(db)

    def orphan(work: Work) -> dict[str, Any]:
        work.tx.execute(sa.text("INSERT INTO child VALUES (99)"))
        return count(work)

    run_one((JobKind("count", orphan),), db, clock)
    assert (now(db, job).state, effects(db, "job")) == ("failed", [])


def test_progress_is_seen_while_the_job_runs(db: Database, clock: Clock) -> None:
    job, seen = queued(db), []

    def look(work: Work) -> dict[str, Any]:
        seen.append((now(db, job).state, now(db, job).rows_done))
        work.tell(500, 1200)
        seen.append((now(db, job).state, now(db, job).rows_done))
        return {}

    run_one((JobKind("count", look),), db, clock)
    assert seen == [("running", 0), ("running", 500)]
    assert now(db, job).rows_done == 1200


def test_a_deadlock_puts_the_job_back_and_it_is_done_again(db: Database, clock: Clock) -> None:
    job, tries = queued(db), []

    def unlucky(work: Work) -> dict[str, Any]:
        tries.append(work.job.attempt)
        if len(tries) == 1:
            work.tx.execute(sa.text("DO $$ BEGIN RAISE EXCEPTION 'deadlock' USING ERRCODE = '40P01'; END $$"))
        return count(work)

    kinds = (JobKind("count", unlucky),)
    assert run_one(kinds, db, clock) and now(db, job).state == "queued"
    assert run_one(kinds, db, clock) and now(db, job).state == "succeeded"
    assert (tries, len(effects(db, "job"))) == ([1, 2], 1)


def test_a_job_of_an_unknown_kind_fails_and_holds_up_nobody(db: Database, clock: Clock) -> None:
    strange, good = queued(db, "strange"), queued(db)
    assert run_one(KINDS, db, clock) and run_one(KINDS, db, clock)
    assert (now(db, strange).state, now(db, good).state) == ("failed", "succeeded")


def test_a_job_that_ends_every_worker_is_given_up(db: Database, clock: Clock, owner: Owner) -> None:
    job = queued(db)
    owner.execute("UPDATE job SET state = 'running', attempt = %s, lease_until = now() - interval '1s'", (MAX_ATTEMPTS,))
    assert run_one(KINDS, db, clock)
    assert (now(db, job).state, effects(db, "job")) == ("failed", [])
