"""HTTP in for the notifications service."""

from shared.http import service_router

router = service_router("notifications")
