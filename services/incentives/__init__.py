"""The incentives service."""
