"""No body takes a field that it does not declare: every column of every table of the service, in every object of it."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from infra.parts import SERVICES
from tests.security.conftest import Sizes
from tests.security.operations import JSON, MULTIPART, Operation, Schema, example, operations, plain
from tests.security.test_bola_matrix import state_of
from tests.security.test_scope_matrix import TEMPLATES, holder, ids_for
from tests.security.world import PERIOD, World

COLUMNS = {s.name: sorted({c.name for table in s.tables.tables.values() for c in table.columns}) for s in SERVICES}
# Words that are no columns, but are tried by everybody who tries.
TRIED = (
    "id",
    "role",
    "roles",
    "scope",
    "scopes",
    "is_admin",
    "admin",
    "owner",
    "jurisdiction",
    "tenant",
    "actor",
    "__class__",
)
JSONS = [operation for operation in operations() if operation.kind == JSON]
FORMS = [operation for operation in operations() if operation.kind == MULTIPART]


def objects(schema: Schema, at: str = "") -> Iterator[tuple[str, set[str]]]:
    """Every object with declared fields in a body: its pointer and what it declares."""
    found = plain(schema)
    if "properties" in found:
        yield at, set(found["properties"])
    if found.get("type") == "array":
        yield from objects(found["items"], f"{at}/0")
    for name, inner in found.get("properties", {}).items():
        yield from objects(inner, f"{at}/{name}")


def filled(schema: Schema, pointer: str, extra: dict[str, Any]) -> Any:
    """The smallest body that has the object of a pointer, with more fields in it."""
    if not pointer:
        return example(schema) | extra
    step, _, rest = pointer[1:].partition("/")
    further = f"/{rest}" if rest else ""
    found = plain(schema)
    if step == "0":
        return [filled(found["items"], further, extra)]
    return example(found) | {step: filled(found["properties"][step], further, extra)}


def send(world: World, operation: Operation, **given: Any) -> httpx.Response:
    """By a caller whom the operation lets through, to a thing of its own."""
    caller = world.holders.get(str(operation)) or holder(world, operation, operation.scopes[0])
    world.holders[str(operation)] = caller
    known = {"kind": TEMPLATES.get(operation.service, ""), "rule_set_id": "tariff.al", "version": "1", "period": PERIOD}
    path = operation.at(known | ids_for(world, caller, operation))
    return world[caller.name].request(operation.method, path, **operation.request() | given)


@pytest.mark.parametrize("operation", JSONS, ids=str)
def test_no_object_of_a_body_takes_a_column_that_it_does_not_declare(
    world: World, operation: Operation, sizes: Sizes
) -> None:
    before = state_of(world)
    for at, declared in objects(operation.schema):
        extra = dict.fromkeys({*COLUMNS[operation.service], *TRIED} - declared, "x")
        answer = send(world, operation, json=filled(operation.schema, at, extra))
        assert answer.status_code == 422, answer.text
        told = {(error["pointer"], error["code"]) for error in answer.json()["errors"]}
        missed = {name for name in extra if (f"{at}/{name}", "unknown_field") not in told}
        assert not missed, (at, missed)
        sizes["mass assignment: (object of a body, column) refused"] += len(extra)
    assert state_of(world) == before
    sizes["mass assignment: operations"] += 1


@pytest.mark.parametrize("operation", FORMS, ids=str)
def test_no_form_takes_a_column_that_it_does_not_declare(world: World, operation: Operation, sizes: Sizes) -> None:
    before, given = state_of(world), operation.request()
    extra = sorted({*COLUMNS[operation.service], *TRIED} - set(operation.schema["properties"]))
    answer = send(world, operation, data=given["data"] | dict.fromkeys(extra, "x"))
    told = {(error["pointer"], error["code"]) for error in answer.json().get("errors", [])}
    assert answer.status_code == 422
    assert {(f"/{name}", "unknown_field") for name in extra} <= told
    assert state_of(world) == before
    sizes["mass assignment: (object of a body, column) refused"] += len(extra)
    sizes["mass assignment: operations"] += 1


def test_every_writing_operation_with_a_body_is_here_but_signing_in() -> None:
    """Signing in ignores what it does not know, as RFC 6749 §3.2 wants; what it makes is in its answer alone."""
    writing = {str(operation) for operation in operations() if operation.kind}
    assert writing - {str(operation) for operation in (*JSONS, *FORMS)} == {"POST /registry/v1/oauth/token"}
    assert all(len(columns) > 15 for columns in COLUMNS.values())
