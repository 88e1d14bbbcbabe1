"""A service for tests only: its routes do what a route may do, and what it should not."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, File, Form, Request, Response, UploadFile

from shared.http import Body, IfMatch, Me, Tx, creates, json_answer, needs, require_version, service_router
from shared.messaging.inbox import Handlers
from shared.messaging.outbox import emit
from shared.paging import After, Limit, filters_of, page, position
from shared.problems import Conflict, Text
from shared.service import Service
from tests.integration.messaging.effects import firm

SECRET = "whsec_c2hvd24gb25jZSBhbmQgbmV2ZXIgYWdhaW4="


class Gate:
    """Holds a request inside its transaction until the test lets it go."""

    def __init__(self) -> None:
        self.entered, self.go, self.failures = threading.Event(), threading.Event(), 0


gates: dict[str, Gate] = {}


@contextmanager
def gate(name: str) -> Iterator[Gate]:
    gates[name] = Gate()
    yield gates[name]
    gates.pop(name).go.set()


class MakeThing(Body):
    """A thing and how its making ends."""

    name: str
    n: int = 0
    ending: str = "well"


def _effect(tx: Tx, name: str, n: int) -> None:
    tx.execute(sa.text("INSERT INTO effect (handler, subject, n) VALUES ('http', :s, :n)"), {"s": name, "n": n})


def _end(tx: Tx, ending: str) -> None:
    match ending:
        case "explodes":
            raise ValueError("inner-detail-of-the-defect")
        case "refused":
            raise Conflict("not_now", Text("否", "no"))
        case "orphan":
            tx.execute(sa.text("INSERT INTO child VALUES (4711)"))
        case "deadlock":
            tx.execute(sa.text("DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '40P01'; END $$"))
        case "lost":
            tx.execute(sa.text("SELECT pg_terminate_backend(pg_backend_pid())"))


def proof_router() -> APIRouter:
    router = service_router("proof")

    @router.post("/things", status_code=201, dependencies=[needs("proof:write"), creates])
    def make_thing(body: MakeThing, tx: Tx, me: Me) -> Response:
        """Make a thing."""
        _effect(tx, body.name, body.n)
        emit(tx, firm(body.name))
        if (held := gates.get(body.ending)) is not None:
            tx.flush()
            held.entered.set()
            assert held.go.wait(20)
            if held.failures:
                held.failures -= 1
                raise ValueError("the first one fails")
        _end(tx, body.ending)
        answer = f'{{"name":"thing","secret":"{SECRET}","by":"{me.client_id}"}}'
        return Response(answer, 201, {"Location": f"/proof/v1/things/{body.n}", "ETag": '"7"'}, "application/json")

    @router.post("/files", status_code=201, dependencies=[needs("proof:write"), creates])
    def hand_in(file: Annotated[UploadFile, File()], kind: Annotated[str, Form()], tx: Tx) -> dict[str, Any]:
        """Hand in a file."""
        content = file.file.read()
        _effect(tx, kind, len(content))
        return {"size": len(content)}

    _add_reading(router)
    return router


def _add_reading(router: APIRouter) -> None:
    @router.get("/things", dependencies=[needs("proof:read")])
    def list_things(
        request: Request, response: Response, tx: Tx, q: str = "", limit: Limit = 50, after: After = None
    ) -> dict[str, Any]:
        """Things by number."""
        place = position(after, filters_of(request), 1)
        rows = tx.execute(
            sa.text("SELECT n FROM effect WHERE subject LIKE :q || '%' AND n > :n ORDER BY n LIMIT :l"),
            {"q": q, "n": int(place[0]) if place else -1, "l": limit + 1},
        ).all()
        return page(request, response, rows, limit, lambda row: [row.n], lambda row: row.n)

    @router.get("/things/{n}", dependencies=[needs("proof:read")])
    def read_thing(n: int, request: Request, tx: Tx) -> Response:
        """One thing."""
        found = tx.execute(sa.text("SELECT subject FROM effect WHERE n = :n"), {"n": n}).scalars().all()
        return json_answer(request, {"n": n, "names": list(found)})

    @router.get("/names/{name}", dependencies=[needs("proof:read")])
    def read_name(name: str, tx: Tx) -> dict[str, Any]:
        """How often a name is there."""
        counted = sa.text("SELECT count(*) FROM effect WHERE subject = :s")
        return {"count": tx.execute(counted, {"s": name}).scalar_one()}

    @router.patch("/things/{n}", dependencies=[needs("proof:write")])
    def change_thing(n: int, body: MakeThing, tx: Tx, if_match: IfMatch = None) -> dict[str, Any]:
        """Change a thing, which is at version 3."""
        require_version(if_match, 3)
        _effect(tx, body.name, n)
        _end(tx, body.ending)
        return {"n": n}


def proof_service() -> Service:
    return Service("proof", proof_router(), Handlers("proof"), sa.MetaData())
