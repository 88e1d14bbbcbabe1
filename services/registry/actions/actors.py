"""Experts and institutions: register."""

from sqlmodel import Session, select

from services.registry.actions.enterprises import lock_uscc, refuse
from services.registry.models import Expert, Institution
from services.registry.rules.enterprises import field_faults
from services.registry.rules.identity import uscc_fault
from shared.messaging.outbox import emit
from shared.problems import Conflict, Text


def register_expert(tx: Session, expert: Expert) -> Expert:
    """Add an expert to the pool; every code that is named must be well-formed."""
    named = [("/employer_uscc", expert.employer_uscc)]
    named += [(f"/advised/{n}/uscc", advised["uscc"]) for n, advised in enumerate(expert.advised)]
    refuse([fault for pointer, uscc in named if (fault := uscc_fault(pointer, uscc))])
    tx.add(expert)
    emit(tx, expert.registered())
    return expert


def register_institution(tx: Session, institution: Institution) -> Institution:
    """Make an institution known; one per USCC."""
    refuse(field_faults({"uscc": institution.uscc, "division": institution.division}))
    lock_uscc(tx, institution.uscc)
    known = tx.exec(select(Institution).where(Institution.uscc == institution.uscc)).first()
    if known is not None:
        text = Text("该机构已登记。", "This institution is already registered.")
        raise Conflict("already_exists", text, resource=known.model_dump(mode="json", exclude={"registered_at"}))
    tx.add(institution)
    emit(tx, institution.registered())
    return institution
