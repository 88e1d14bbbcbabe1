"""Credit: regimes, published grades, and what audits contributes to them.

Owns      credit_record, credit_input; copies of enterprises
Emits     CreditRecordPublished, CreditInputCreated
Handles   EnterpriseRegistered, EnterpriseChanged, ListEntryPublished, AcceptanceRecorded, ObligationOverdue
"""
