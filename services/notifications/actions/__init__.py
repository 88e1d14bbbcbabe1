"""The verbs of the notifications service."""
