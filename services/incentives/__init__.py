"""Incentives: what an enterprise may get or must pay, why, and what was known when it was decided.

Owns      decision, standing_decision, tier_list, tier_entry, tier_unresolved, tier_file; fact (told by others),
          copies of enterprises and consents
Emits     DecisionChanged, TierListPublished, RestrictedFactRead
Handles   EnterpriseRegistered, EnterpriseChanged, FactRecorded, ConsentGranted, ConsentRevoked, ListEntryPublished,
          ListEntryWithdrawn, RoundMoved, AcceptanceRecorded, ObligationOverdue, ObligationDone, ObligationWaived,
          CreditRecordPublished
"""
