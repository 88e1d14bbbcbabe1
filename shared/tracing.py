"""The identity of a request or event on its way: correlation id, W3C trace context, causing event."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from uuid import UUID, uuid4

correlation_id: ContextVar[str] = ContextVar("correlation_id", default="")
traceparent: ContextVar[str] = ContextVar("traceparent", default="")
causation_id: ContextVar[UUID | None] = ContextVar("causation_id", default=None)

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def request_id_from(header: str) -> str:
    """The caller's request id where it is harmless, else a new one."""
    return header if _REQUEST_ID.fullmatch(header) else uuid4().hex


def traceparent_from(header: str) -> str:
    """A child of the caller's trace, or a new trace."""
    found = _TRACEPARENT.fullmatch(header)
    trace = found.group(1) if found else os.urandom(16).hex()
    return f"00-{trace}-{os.urandom(8).hex()}-01"


@contextmanager
def caused_by(correlation: str, trace: str, event: UUID | None) -> Iterator[None]:
    """Everything inside belongs to this request and was caused by this event."""
    tokens = (correlation_id.set(correlation), traceparent.set(trace), causation_id.set(event))
    try:
        yield
    finally:
        correlation_id.reset(tokens[0])
        traceparent.reset(tokens[1])
        causation_id.reset(tokens[2])
