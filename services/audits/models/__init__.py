"""Tables of the audits service, and the moves of a round."""

from services.audits.models.copies import ConsentCopy, EnterpriseCopy, ExpertCopy, InstitutionCopy
from services.audits.models.files import AuditFile, RoundFile
from services.audits.models.lists import EntryState, ListEntry, ListState, MandatoryList
from services.audits.models.measures import Measure, MeasureStatus, ScreenResult
from services.audits.models.obligations import Obligation, ObligationStatus
from services.audits.models.rounds import (
    MOVES,
    Acceptance,
    AuditRound,
    Evaluation,
    PhaseRecord,
    RoundState,
    RoundStep,
    Track,
)
from services.audits.models.status import AuditStatus
from services.audits.models.table import Table, metadata

__all__ = [
    "MOVES", "Acceptance", "AuditFile", "AuditRound", "AuditStatus", "ConsentCopy", "EnterpriseCopy", "EntryState", "Evaluation",
    "ExpertCopy", "InstitutionCopy", "ListEntry", "ListState", "MandatoryList", "Measure", "MeasureStatus", "Obligation",
    "ObligationStatus", "PhaseRecord", "RoundFile", "RoundState", "RoundStep", "ScreenResult", "Table", "Track", "metadata",
]
