"""Registry: who is who. Enterprises with their past, facts, experts, institutions, consents; API clients and tokens.

Owns      client, enterprise, enterprise_version, fact, expert, institution, consent, access_entry
Emits     EnterpriseRegistered, EnterpriseChanged, FactRecorded, ExpertRegistered, InstitutionRegistered,
          ConsentGranted, ConsentRevoked
Handles   ListEntryPublished (an unknown firm becomes `pending`); RestrictedFactRead of audits, credit and incentives
          (entries of the access ledger)
"""
