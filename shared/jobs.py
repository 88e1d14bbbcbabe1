"""Long work: jobs that survive a crash, show rows done of rows total, and finish with their effect."""

import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlmodel import Field, Session, col, select

from shared.clock import Clock, utc_now
from shared.db import Database, Json, Utc, Wakeup, crowded, notify, unwell
from shared.messaging.tables import Table
from shared.presence import LIVING, Presence
from shared.problems import Problem, Text
from shared.tracing import caused_by, correlation_id, traceparent

log = structlog.get_logger("jobs")

LEASE_SECONDS = 60
MAX_ATTEMPTS = 5
_ANY = "SELECT 1 FROM job WHERE state IN ('queued', 'running') LIMIT 1"
DEFECT = Text("系统内部错误，未写入任何内容。", "Something went wrong on our side; nothing was written.")


class Job(Table, table=True):
    """A piece of long work; its state and its effect are committed together."""

    __tablename__ = "job"
    __table_args__ = (sa.Index("job_waiting", "made_at", postgresql_where=sa.text("state IN ('queued', 'running')")),)
    id: UUID = Field(default_factory=uuid4, primary_key=True)
    kind: str
    owner: str
    division: str = ""
    parameters: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    content: bytes | None = None
    state: str = "queued"
    attempt: int = 0
    worker: int | None = None
    rows_total: int | None = None
    rows_done: int = 0
    result: dict[str, Any] | None = Field(default=None, sa_type=Json)
    error: dict[str, Any] | None = Field(default=None, sa_type=Json)
    correlation: str = ""
    trace: str = ""
    lease_until: datetime | None = Field(default=None, sa_type=Utc)
    made_at: datetime = Field(
        default_factory=utc_now, sa_type=Utc, sa_column_kwargs={"server_default": sa.text("now()")}
    )


@dataclass
class Work:
    """A job being done: its transaction, its content, and how to tell its progress."""

    job: Job
    tx: Session
    today: date
    tell: Callable[[int, int], None]


class JobFailed(Exception):
    """The job has nothing to write: its transaction is rolled back; the error and `result` are kept.

    `keep` runs in the transaction that records the failure (for example to store what is wrong with each row).
    """

    def __init__(
        self,
        code: str,
        text: Text,
        *,
        result: dict[str, Any] | None = None,
        keep: Callable[[Session], None] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(code)
        self.code, self.text, self.result, self.keep, self.extra = code, text, result, keep, extra


class LostLease(Exception):
    """Another worker has taken this job over; what was done here is rolled back."""


@dataclass(frozen=True)
class JobKind:
    """A kind of work and the function that does it; it returns the job's result."""

    kind: str
    run: Callable[[Work], dict[str, Any]]


def enqueue(tx: Session, job: Job) -> Job:
    """Queue a job in this transaction; a worker starts it when the transaction commits."""
    job.correlation, job.trace = correlation_id.get(), traceparent.get()
    tx.add(job)
    tx.flush()
    notify(tx, "jobs")
    return job


def run_jobs(kinds: tuple[JobKind, ...], db: Database, clock: Clock, stop: threading.Event) -> None:
    """Do queued jobs one after another until stopped; a job whose worker died is done again by whoever lives."""
    with closing(Wakeup(db, "jobs")) as wakeup, closing(Presence(db)) as present:
        while not stop.is_set():
            present.confirm()
            if not run_one(kinds, db, clock, present.number):
                wakeup.wait(5.0, stop)


def run_one(kinds: tuple[JobKind, ...], db: Database, clock: Clock, worker: int | None = None) -> bool:
    """Claim and do the oldest job; False when none waits."""
    job = _claim(db, worker)
    if job is None:
        return False
    kind = next((k for k in kinds if k.kind == job.kind), None)
    if kind is None or job.attempt > MAX_ATTEMPTS:
        log.error("job.given_up", kind=job.kind, job=str(job.id), attempt=job.attempt)
        _fail(db, job, JobFailed("internal_error", DEFECT))
        return True
    keeping = threading.Event()
    keeper = threading.Thread(target=_keep_lease, args=(db, job, keeping), daemon=True)
    keeper.start()
    try:
        with caused_by(job.correlation, job.trace, None):
            _do(kind, job, db, clock)
    except LostLease:
        log.warning("job.lease_lost", kind=job.kind, job=str(job.id))
    finally:
        keeping.set()
        keeper.join()
    return True


def _claim(db: Database, worker: int | None) -> Job | None:
    with db.plain() as connection:  # nearly always there is none
        if not connection.execute(_ANY).fetchone():
            return None
    gone = col(Job.worker).is_not(None) & col(Job.worker).not_in(sa.text(LIVING))
    left = (col(Job.lease_until) < sa.func.now()) | gone
    waiting = (col(Job.state) == "queued") | ((col(Job.state) == "running") & left)
    with db.begin() as tx:
        oldest = select(Job).where(waiting).order_by(col(Job.made_at)).limit(1).with_for_update(skip_locked=True)
        job = tx.exec(oldest).first()
        if job is not None:
            mine = {"worker": worker, "attempt": job.attempt + 1}
            tx.execute(_update(job, state="running", lease_until=_lease(), rows_done=0, **mine))
            tx.refresh(job)
            tx.expunge(job)
        return job


def _do(kind: JobKind, job: Job, db: Database, clock: Clock) -> None:
    def tell(done: int, total: int) -> None:
        with db.begin() as tx:
            tx.execute(_update(job, rows_done=done, rows_total=total))

    try:
        with db.begin() as tx:
            result = kind.run(Work(job, tx, clock.today(), tell))
            whole = sa.func.coalesce(col(Job.rows_total), col(Job.rows_done))  # not every kind counts rows
            ended = _update(job, state="succeeded", result=result, rows_done=whole, content=None)
            if tx.execute(ended.returning(col(Job.id))).first() is None:
                raise LostLease(str(job.id))
    except JobFailed as failure:
        _fail(db, job, failure)
    except LostLease:
        raise
    except Problem as problem:
        _fail(db, job, JobFailed(problem.code, problem.text))
    except Exception as error:
        if unwell(error):
            return _again(db, job, error)
        log.exception("job.failed", kind=job.kind, job=str(job.id))
        _fail(db, job, JobFailed("internal_error", DEFECT))
    return None


def _again(db: Database, job: Job, error: Exception) -> None:
    """A deadlock puts the job back; where the database is away, the lease runs out and the job is done again."""
    if not (isinstance(error, DBAPIError) and crowded(error)):
        raise error
    with db.begin() as tx:
        tx.execute(_update(job, state="queued"))


def _fail(db: Database, job: Job, failure: JobFailed) -> None:
    error = {"code": failure.code, "message": failure.text.both()} | failure.extra
    with db.begin() as tx:
        failed = _update(job, state="failed", error=error, result=failure.result, content=None)
        if tx.execute(failed.returning(col(Job.id))).first() is None:
            raise LostLease(str(job.id))
        if failure.keep is not None:
            failure.keep(tx)


def _keep_lease(db: Database, job: Job, stop: threading.Event) -> None:
    while not stop.wait(LEASE_SECONDS / 3):
        try:
            with db.begin() as tx:
                tx.execute(_update(job, lease_until=_lease()))
        except SQLAlchemyError as error:
            log.warning("job.lease_not_kept", job=str(job.id), error=repr(error)[:500])


def _lease() -> Any:
    return sa.func.now() + sa.text(f"interval '{LEASE_SECONDS} seconds'")


def _update(job: Job, **values: Any) -> sa.Update:
    """An update by the attempt that holds the job, and by nobody who held it before."""
    mine = (col(Job.id) == job.id) & (col(Job.attempt) == job.attempt) & col(Job.state).in_(("queued", "running"))
    return sa.update(Job).where(mine).values(**values)
