"""HTTP: experts and institutions."""

from datetime import date
from typing import Any
from uuid import UUID

from fastapi import Request, Response
from pydantic import BaseModel, Field

from services.registry.actions import actors
from services.registry.models import Expert, Institution
from services.registry.queries import lists
from services.registry.routes.router import Code, Line, place_after, plain, router
from shared.codes import normalise_uscc
from shared.http import Body, Tx, creates, needs
from shared.paging import After, Limit, page

READ, WRITE = "registry:actors:read", "registry:actors:write"


class Advised(Body):
    """An enterprise that an expert advised, and until when."""

    uscc: Code
    until: date


class RegisterExpert(Body):
    """An expert for the pool."""

    name: Line
    employer_uscc: Code = Field(examples=["91430100MA7YNS0146"])
    specialities: list[Line] = Field([], max_length=50, examples=[["有色冶炼"]])
    advised: list[Advised] = Field([], max_length=500)


class RegisterInstitution(Body):
    """A service institution."""

    uscc: Code
    name: Line
    division: Code = Field(examples=["430104"])


class ExpertOut(BaseModel):
    """An expert of the pool."""

    id: UUID
    name: str
    employer_uscc: str
    specialities: list[str]
    advised: list[dict[str, str]]


class InstitutionOut(BaseModel):
    """A service institution."""

    id: UUID
    uscc: str
    name: str
    division: str


@router.post("/experts", status_code=201, response_model=ExpertOut, dependencies=[needs(WRITE), creates])
def register_expert(body: RegisterExpert, tx: Tx) -> Any:
    """Add an expert; whom they work for and advised decides about conflicts of interest."""
    advised = [{"uscc": normalise_uscc(a.uscc), "until": a.until.isoformat()} for a in body.advised]
    employer = normalise_uscc(body.employer_uscc)
    expert = Expert(name=body.name, employer_uscc=employer, specialities=body.specialities, advised=advised)
    return actors.register_expert(tx, expert)


@router.get("/experts", dependencies=[needs(READ)])
def list_experts(request: Request, response: Response, tx: Tx, limit: Limit = 100, after: After = None) -> Any:
    """The pool of experts."""
    rows = lists.experts_after(tx, place_after(request, after, UUID), limit + 1)
    return page(request, response, rows, limit, lambda row: [row.id], lambda row: shown(ExpertOut, row))


@router.post("/institutions", status_code=201, response_model=InstitutionOut, dependencies=[needs(WRITE), creates])
def register_institution(body: RegisterInstitution, tx: Tx) -> Any:
    """Make a service institution known."""
    uscc = normalise_uscc(body.uscc)
    return actors.register_institution(tx, Institution(uscc=uscc, name=body.name, division=body.division))


@router.get("/institutions", dependencies=[needs(READ)])
def list_institutions(request: Request, response: Response, tx: Tx, limit: Limit = 100, after: After = None) -> Any:
    """The service institutions."""
    rows = lists.institutions_after(tx, place_after(request, after, plain), limit + 1)
    return page(request, response, rows, limit, lambda row: [row.uscc], lambda row: shown(InstitutionOut, row))


def shown(out: type[BaseModel], row: Expert | Institution) -> dict[str, Any]:
    return out.model_validate(row, from_attributes=True).model_dump(mode="json")
