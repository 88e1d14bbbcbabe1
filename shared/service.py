"""The parts list of a service: what the runner, the worker, migrations and tests read."""

import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import sqlalchemy as sa
from fastapi import APIRouter
from sqlmodel import Session

from shared.auth import Caller
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
ShortAnswer = tuple[int, list[tuple[bytes, bytes]], bytes]


@dataclass(frozen=True)
class Asked:
    """A GET on a short way: whose, with which name in its path and which `If-None-Match`. It has no query."""

    context: Context
    caller: Caller
    name: str
    if_none_match: str


@dataclass(frozen=True)
class Shortcut:
    """A short way for one GET route, tried before any routing; None as its answer leaves it to the route.

    `path` is the route's template with one name in it. The edge has checked the token; the answer checks the rest.
    """

    path: str
    answer: Callable[[Asked], Awaitable[ShortAnswer | None]]

    def name_in(self, path: str) -> str:
        """The name in a path of this template; empty where it is not one."""
        before, _, after = self.path.partition("{")
        after = after.partition("}")[2]
        if not (path.startswith(before) and path.endswith(after)):
            return ""
        name = path[len(before) : len(path) - len(after)]
        return "" if "/" in name else name


@dataclass(frozen=True, eq=False)
class Service:
    """One of the five; `daily` runs once per legal day in one transaction, and again does no harm.

    `restored` runs where its database is found to have lost a part of its history.
    """

    name: str
    router: APIRouter
    handlers: Handlers
    tables: sa.MetaData
    daily: Callable[[Session, date], None] | None = None
    jobs: tuple[JobKind, ...] = ()
    loops: tuple[Loop, ...] = ()
    append_only: tuple[str, ...] = ()
    seed: Callable[[Context], None] | None = None
    shortcuts: tuple[Shortcut, ...] = ()
    restored: Callable[[Session], None] | None = None
