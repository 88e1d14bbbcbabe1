"""The frozen contracts: JSON Schema and an example per event, OpenAPI per service; a change is a reviewed diff."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

from fastapi import FastAPI
from pydantic_core import PydanticUndefined

from infra.parts import SERVICES
from shared.events import Envelope, Event, load_catalogue
from shared.service import Service

FOLDER = Path(__file__).parent.parent / "tests" / "contract"
SPACE = UUID("6f1c7d3e-5b8a-4c52-9a63-0d2f4e8b7a10")


def schema_of(kind: type[Event]) -> str:
    """The frozen shape of an event's data."""
    return _text(kind.model_json_schema())


def example_of(kind: type[Event]) -> str:
    """An envelope with example data, the same every time it is made."""
    data = {name: _example(name, field) for name, field in kind.model_fields.items()}
    event = kind.model_validate(data)
    envelope = Envelope(
        id=uuid5(SPACE, kind.type),
        type=kind.type,
        source=kind.type.split(".")[0],
        subject=event.subject,
        time=datetime(2026, 3, 10, 1, 0, tzinfo=UTC),
        correlation_id="example",
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        data=event.model_dump(mode="json"),
    )
    return _text(envelope.model_dump(mode="json"))


def openapi_of(service: Service) -> str:
    """The frozen OpenAPI of one service."""
    app = FastAPI(title=service.name, version="1", openapi_url=None, docs_url=None, redoc_url=None)
    app.include_router(service.router)
    return _text(app.openapi())


def frozen() -> dict[Path, str]:
    """Every frozen file and what it must hold."""
    found: dict[Path, str] = {}
    for type_name, kind in sorted(load_catalogue().items()):
        found[FOLDER / "schemas" / f"{type_name}.json"] = schema_of(kind)
        found[FOLDER / "examples" / f"{type_name}.json"] = example_of(kind)
    for service in SERVICES:
        found[FOLDER / "openapi" / f"{service.name}.json"] = openapi_of(service)
    return found


def rewrite() -> None:
    """Write the frozen files anew; read the diff before committing."""
    wanted = frozen()
    for folder in ("schemas", "examples", "openapi"):
        (FOLDER / folder).mkdir(parents=True, exist_ok=True)
        for stale in (FOLDER / folder).glob("*.json"):
            if stale not in wanted:
                stale.unlink()
    for path, text in wanted.items():
        path.write_text(text, encoding="utf-8")


_BY_NAME: dict[str, Any] = {
    "uscc": "91430200MA4QA0029A",
    "bank": "91430100MA4QA00108",
    "employer_uscc": "91430600MA4QA0037R",
    "division": "430202",
    "name": "株洲示例有限公司",
    "industry": "3212",
    "categories": ["EXCESS_EMISSION"],
    "period": "2026-05",
    "status": "active",
    "track": "mandatory",
    "year": 2026,
    "evaluation_year": 2024,
    "valid_to": "2026-12-31",
}
_BY_TYPE = {
    "string": "example",
    "integer": 1,
    "number": 1,
    "boolean": False,
    "array": [],
    "object": {},
    "date": "2026-03-10",
    "date-time": "2026-03-10T01:00:00Z",
    "uuid": "00000000-0000-4000-8000-000000000001",
}


def _example(name: str, field: Any) -> Any:
    if field.examples:
        return field.examples[0]
    if name in _BY_NAME:
        return _BY_NAME[name]
    if field.default is not PydanticUndefined:
        return field.default
    from pydantic import TypeAdapter

    schema = TypeAdapter(field.annotation).json_schema()
    options = [schema, *schema.get("anyOf", [])]
    known = next(o for o in options if o.get("format") in _BY_TYPE or o.get("type") in _BY_TYPE)
    return _BY_TYPE.get(known.get("format", ""), _BY_TYPE.get(known.get("type", "")))


def _text(document: Any) -> str:
    return json.dumps(document, ensure_ascii=False, indent=2, sort_keys=True) + "\n"
