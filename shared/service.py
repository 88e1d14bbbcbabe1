"""The parts list of a service: what the runner, the worker, migrations and tests read."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import sqlalchemy as sa
from fastapi import APIRouter
from sqlmodel import Session

from shared.clock import Clock
from shared.db import Database
from shared.jobs import JobKind
from shared.messaging.inbox import Handlers
from shared.sealing import Sealer
from shared.settings import Settings


@dataclass
class Context:
    """What a running service has at hand: its database, the clock, the sealer, the settings."""

    db: Database
    clock: Clock
    sealer: Sealer
    settings: Settings
    extras: dict[str, Any] = field(default_factory=dict)


Loop = Callable[[Context, threading.Event], None]


@dataclass(frozen=True, eq=False)
class Service:
    """One of the five; `daily` runs once per legal day in one transaction, and again does no harm."""

    name: str
    router: APIRouter
    handlers: Handlers
    tables: sa.MetaData
    daily: Callable[[Session, date], None] | None = None
    jobs: tuple[JobKind, ...] = ()
    loops: tuple[Loop, ...] = ()
    append_only: tuple[str, ...] = ()
    seed: Callable[[Context], None] | None = None
