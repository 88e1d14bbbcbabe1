"""The contract between the services: events, the envelope that carries them, and the catalogue of all types."""

import importlib
import json
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from shared.clock import local_time

PRODUCERS = ("registry", "audits", "credit", "incentives", "notifications")


class Audience(StrEnum):
    """Who outside the five services may see an event."""

    INTERNAL = "internal"
    PUBLIC = "public"
    PARTIES = "parties"  # authorities of the jurisdiction, the enterprise, a bank with consent
    DECISION = "decision"  # as parties; tariff programmes go to the utility and not to banks
    UTILITY = "utility"  # utilities and authorities
    ENTERPRISE_ECOLOGY = "enterprise_ecology"  # the enterprise, ecology authorities of the jurisdiction
    CONSENT = "consent"  # the enterprise and the bank that a consent names


def internal(default: Any = ...) -> Any:
    """A field that other services need and that never leaves the platform."""
    return Field(default, json_schema_extra={"internal": True})


class Event(BaseModel):
    """Something that has happened. Immutable; readers ignore fields they do not know."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    type: ClassVar[str]
    subject_field: ClassVar[str]
    audience: ClassVar[Audience]
    consent_scope: ClassVar[str]

    def __init_subclass__(
        cls, *, type: str, subject: str, audience: Audience = Audience.INTERNAL, consent: str = "audit", **kwargs: Any
    ) -> None:
        super().__init_subclass__(**kwargs)
        if type in CATALOGUE:
            raise TypeError(f"{type} is declared twice")
        cls.type, cls.subject_field, cls.audience, cls.consent_scope = type, subject, audience, consent
        CATALOGUE[type] = cls

    @property
    def subject(self) -> str:
        return str(getattr(self, self.subject_field))

    @classmethod
    def internal_fields(cls) -> set[str]:
        return {
            name
            for name, field in cls.model_fields.items()
            if isinstance(field.json_schema_extra, dict) and field.json_schema_extra.get("internal")
        }


CATALOGUE: dict[str, type[Event]] = {}


class Envelope(BaseModel):
    """What the outbox stores and the bus carries. Field names follow CloudEvents 1.0."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    type: str
    source: str
    subject: str
    time: datetime
    correlation_id: str
    traceparent: str = ""
    causation_id: UUID | None = None
    data: dict[str, Any]

    @property
    def topic(self) -> str:
        return topic_of(self.source)

    def open(self) -> Event:
        """The event inside; raises KeyError for a type that this code does not know."""
        return CATALOGUE[self.type].model_validate(self.data)

    def cloud_event(self) -> bytes:
        """The public projection: a structured CloudEvent 1.0, the same bytes on every channel and attempt.

        A field that this code does not know stays inside: a newer producer may have declared it internal.
        """
        kind = CATALOGUE[self.type]
        shown = kind.model_fields.keys() - kind.internal_fields()
        document = {
            "specversion": "1.0",
            "id": str(self.id),
            "source": self.source,
            "type": self.type,
            "subject": self.subject,
            "time": local_time(self.time).isoformat(),
            "datacontenttype": "application/json",
            "data": {name: value for name, value in self.data.items() if name in shown},
            "traceparent": self.traceparent,
            "correlationid": self.correlation_id,
        }
        return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def topic_of(producer: str) -> str:
    return f"{producer}.events"


def load_catalogue() -> dict[str, type[Event]]:
    """Import every producer's module, so that the catalogue is whole."""
    for producer in PRODUCERS:
        importlib.import_module(f"shared.events.{producer}")
    return CATALOGUE
