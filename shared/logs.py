"""JSON logs on standard error, each line with the correlation id of its request; secrets never pass."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from shared.tracing import correlation_id

_SECRET = re.compile(
    r"(whsec_[A-Za-z0-9+/=]+|whsk_[A-Za-z0-9+/=]+|eyJ[\w-]+\.[\w-]+\.[\w-]+|cps_[\w-]{20,}"
    r"|(?i:bearer|basic)\s+[\w.~+/=-]{8,}|(?<=://)[^/\s:@\"]*:[^/\s@\"]+(?=@))"
)


def setup(level: str = "INFO") -> None:
    """Route structlog and the standard library's loggers through one JSON renderer."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        _add_correlation,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer(ensure_ascii=False), _scrub],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    strip = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    last: list[Any] = [strip, structlog.processors.JSONRenderer(ensure_ascii=False), _scrub]
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processors=last, foreign_pre_chain=shared))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def _add_correlation(_: Any, __: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if request := correlation_id.get():
        fields.setdefault("correlation_id", request)
    return fields


def redact(_: Any, __: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Blank whatever looks like a secret in any text of the line."""
    for name, value in fields.items():
        if isinstance(value, str):
            fields[name] = _SECRET.sub("[redacted]", value)
    return fields


def _scrub(_: Any, __: str, line: Any) -> str:
    """The same for the finished line: lists, headers and exceptions hold text too."""
    return _SECRET.sub("[redacted]", str(line))
