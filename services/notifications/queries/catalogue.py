"""The catalogue of events that can be subscribed to, with schema and example."""

import json
from datetime import UTC, datetime
from functools import cache
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from services.notifications.rules import outward_types
from shared.events import CATALOGUE, Envelope, Event

_SAMPLE: dict[str, Any] = {
    "uuid": "00000000-0000-4000-8000-000000000001",
    "date": "2026-03-10",
    "date-time": "2026-03-10T09:00:00+08:00",
    "string": "示例",
    "integer": 1,
    "boolean": False,
    "array": [],
    "object": {},
    "null": None,
}
_BY_NAME = {"uscc": "91430200MA4QA0029A", "bank": "91430100MA4QA00108", "division": "430202"}


@cache
def event_types() -> list[dict[str, Any]]:
    """Every type that somebody outside may see: audience, sentence, JSON Schema of its public data, an example."""
    return [_described(CATALOGUE[name]) for name in outward_types()]


def _described(kind: type[Event]) -> dict[str, Any]:
    return {
        "type": kind.type,
        "audience": kind.audience.value,
        "description": " ".join((kind.__doc__ or "").split()),
        "schema": public_schema(kind),
        "example": _example(kind),
    }


def public_schema(kind: type[Event]) -> dict[str, Any]:
    """The JSON Schema of an event's data without the fields that never leave."""
    schema, hidden = kind.model_json_schema(), kind.internal_fields()
    schema["properties"] = {name: shape for name, shape in schema["properties"].items() if name not in hidden}
    schema["required"] = [name for name in schema.get("required", []) if name not in hidden]
    return schema


def _example(kind: type[Event]) -> Any:
    event = kind.model_validate({name: _value(name, field) for name, field in kind.model_fields.items()})
    envelope = Envelope(
        id=UUID("00000000-0000-4000-8000-000000000000"),
        type=kind.type,
        source=kind.type.split(".")[0],
        subject=event.subject,
        time=datetime(2026, 3, 10, 1, 0, tzinfo=UTC),
        correlation_id="example",
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        data=event.model_dump(mode="json"),
    )
    return json.loads(envelope.cloud_event())


def _value(name: str, field: FieldInfo) -> Any:
    if field.examples:
        return field.examples[0]
    if name in _BY_NAME:
        return _BY_NAME[name]
    if field.default is not PydanticUndefined:
        return field.default
    kind: Any = field.annotation
    shape = TypeAdapter(kind).json_schema()
    first = shape.get("anyOf", [shape])[0]
    return _SAMPLE[first.get("format", first.get("type", "object"))]
