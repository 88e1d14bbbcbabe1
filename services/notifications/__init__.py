"""Notifications: what has happened, told to whoever is entitled to it.

Owns      event log, subscription, delivery, attempt
Emits     SubscriptionDisabled
Handles   every event (into the log and to its subscriptions); enterprises and consents (its own copies)
"""
