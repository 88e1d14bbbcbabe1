"""The operations of the five services as their OpenAPI tells them, and a request that has the agreed shape for each."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import uuid4

from infra import openapi
from infra.documents import nobody
from infra.parts import SERVICES
from shared.app import create_app
from tests.rounds import PDF

Schema = dict[str, Any]
JSON, FORM, MULTIPART = "application/json", "application/x-www-form-urlencoded", "multipart/form-data"
DAY = "2026-11-20"
METHODS = ("get", "post", "put", "patch", "delete")


@cache
def document() -> dict[str, Any]:
    """The OpenAPI document of all services."""
    return openapi.document(create_app(SERVICES, {}, nobody(), None).api, SERVICES)


@dataclass(frozen=True)
class Operation:
    """A method of a path, with what the document says of it."""

    method: str
    path: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def said(self) -> dict[str, Any]:
        found: dict[str, Any] = document()["paths"][self.path][self.method.lower()]
        return found

    @property
    def service(self) -> str:
        return self.path.split("/")[1]

    @property
    def scopes(self) -> list[str]:
        """Any one of these opens the operation; empty where it is open to all."""
        return list(self.said.get("x-required-scope", []))

    @property
    def open(self) -> bool:
        return self.said["security"] == []

    def names(self, place: str) -> list[str]:
        """The parameters of the path (in its order) or of the query."""
        found = [p["name"] for p in self.said.get("parameters", []) if p["in"] == place]
        return sorted(found, key=lambda name: self.path.find("{" + name + "}"))

    def parameter(self, name: str) -> Schema:
        return next(p["schema"] for p in self.said["parameters"] if p["name"] == name)

    @property
    def kind(self) -> str:
        """The media type of the body; empty where there is none."""
        return next(iter(self.said.get("requestBody", {}).get("content", {})), "")

    @property
    def schema(self) -> Schema:
        """The schema of the body, without references and without null."""
        return plain(self.said["requestBody"]["content"][self.kind]["schema"]) if self.kind else {}

    def at(self, ids: dict[str, str]) -> str:
        """The path with these names in it."""
        return self.path.format_map(ids)

    def request(self) -> dict[str, Any]:
        """What httpx needs for a request of the agreed shape: the smallest body, and any version."""
        headers = {"If-Match": "*"} if self.method != "GET" else {}
        if not self.kind:
            return {"headers": headers}
        body = example(self.schema)
        if self.kind == MULTIPART:
            files = {name: ("file.pdf", PDF) for name in body if name == "file"}
            rest = {name: value for name, value in body.items() if name != "file"}
            return {"headers": headers, "data": rest, "files": files}
        return {"headers": headers, ("json" if self.kind == JSON else "data"): body}


@cache
def operations() -> tuple[Operation, ...]:
    """Every operation, in the order of paths."""
    found = [(m.upper(), path) for path, known in document()["paths"].items() for m in known if m in METHODS]
    return tuple(Operation(method, path) for method, path in sorted(found, key=lambda pair: (pair[1], pair[0])))


def plain(schema: Schema) -> Schema:
    """A schema with its references followed and the null alternative left out; of `several`, the last."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return plain(document()["components"]["schemas"][name])
    if "anyOf" in schema:
        chosen = [option for option in schema["anyOf"] if option.get("type") != "null"]
        found = plain(chosen[-1]) | {name: value for name, value in schema.items() if name != "anyOf"}
        return found | ({"several": True} if len(chosen) > 1 else {})
    if "allOf" in schema:
        return plain(schema["allOf"][0])
    return schema


def example(given: Schema) -> Any:
    """The smallest value of a schema."""
    schema = plain(given)
    if schema.get("examples"):
        return copy.deepcopy(schema["examples"][0])
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type")
    if kind == "object":
        return {name: example(schema["properties"][name]) for name in schema.get("required", [])}
    if kind == "array":
        return [example(schema["items"]) for _ in range(schema.get("minItems", 0))]
    if kind == "boolean":
        return False
    if kind in ("integer", "number"):
        return schema.get("minimum", 1)
    return _text(schema)


def _text(schema: Schema) -> str:
    made = {"date": DAY, "uuid": str(uuid4()), "binary": "file"}.get(schema.get("format", ""))
    return made or "a" * max(schema.get("minLength", 1), 1)


def fields(schema: Schema, at: str = "") -> Iterator[tuple[str, Schema]]:
    """Every field that a schema declares, with its pointer; those of list items under `/0`."""
    found = plain(schema)
    if found.get("type") == "array":
        yield from fields(found["items"], f"{at}/0")
    for name, inner in found.get("properties", {}).items():
        yield f"{at}/{name}", plain(inner)
        yield from fields(inner, f"{at}/{name}")
