"""Audits: the annual lists, the rounds they start, their dated duties, and the audit status that others rely on.

Owns      mandatory_list, list_entry, audit_round with its steps, phases, measures, files, evaluations, acceptances;
          obligation, audit_status; copies of enterprises, experts, institutions, consents
Emits     ListPublished, ListEntryPublished, ListEntryWithdrawn, RoundMoved, RoundStarted, PhaseCompleted, ReportSubmitted,
          EvaluationRecorded, AcceptanceRecorded, ObligationCreated, ObligationDone, ObligationOverdue, ObligationWaived,
          RestrictedFactRead
Handles   EnterpriseRegistered, EnterpriseChanged, ExpertRegistered, InstitutionRegistered, ConsentGranted, ConsentRevoked
"""
