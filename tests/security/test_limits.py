"""Each limit exceeded by one is a problem document that names the place; at the limit exactly it is not."""

import resource
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from shared import app as shared_app
from shared.spreadsheets import LIMITS
from tests.rounds import PDF
from tests.security.conftest import Sizes
from tests.security.operations import JSON, MULTIPART, Operation, Schema, fields, operations, plain
from tests.security.test_bola_matrix import state_of
from tests.security.test_mass_assignment import filled, send
from tests.security.world import World

MIB = 1024 * 1024
TEXT = 10_000  # a text for which nothing shorter is said
JSONS = [operation for operation in operations() if operation.kind == JSON]
QUERIES = [
    (operation, name)
    for operation in operations()
    for name in operation.names("query")
    if {"maxLength", "maximum", "minimum"} & set(plain(operation.parameter(name)))
]


def problem(answer: httpx.Response, status: int, code: str = "") -> dict[str, Any]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text[:500]
    found: dict[str, Any] = answer.json()
    assert (answer.status_code, found["code"]) == (status, code or found["code"]), answer.text[:500]
    return found


def limited(schema: Schema) -> Iterator[tuple[str, Any, Any]]:
    """Every text, and every list with a declared maximum: its pointer, the most that it takes, and one more."""
    for pointer, found in fields(schema):
        if found.get("type") == "string" and not {"pattern", "format", "enum", "const", "several"} & set(found):
            most = found.get("maxLength", TEXT)
            yield pointer, "a" * most, "a" * (most + 1)
        if "maxItems" in found and found.get("type") == "array":
            item = filled(found["items"], "", {}) if "properties" in plain(found["items"]) else "a"
            item = plain(found["items"]).get("enum", [item])[0]
            yield pointer, [item] * found["maxItems"], [item] * (found["maxItems"] + 1)


def body_with(operation: Operation, pointer: str, value: Any) -> Any:
    """The smallest body with a value at a pointer, and a field that no body knows, so that nothing is done."""
    at, _, name = pointer.rpartition("/")
    return filled(operation.schema, at, {name: value}) | {"no_such_field": 1}


@pytest.mark.parametrize("operation", [o for o in JSONS if any(limited(o.schema))], ids=str)
def test_a_text_or_list_in_a_body_ends_where_the_interface_says(
    world: World, operation: Operation, sizes: Sizes
) -> None:
    before = state_of(world)
    for pointer, most, over in limited(operation.schema):
        for value, is_over in ((over, True), (most, False)):
            found = problem(send(world, operation, json=body_with(operation, pointer, value)), 422, "invalid_request")
            told = {error["pointer"] for error in found["errors"]}
            assert "/no_such_field" in told
            assert (pointer in told) == is_over, (pointer, len(value), told)
            sizes["limits: (field of a body, at and one over)"] += 1
    assert state_of(world) == before


@pytest.mark.parametrize(("operation", "name"), QUERIES, ids=[f"{o} {n}" for o, n in QUERIES])
def test_a_query_ends_where_the_interface_says(world: World, operation: Operation, name: str, sizes: Sizes) -> None:
    schema = plain(operation.parameter(name))
    wrong = ["a" * (schema["maxLength"] + 1)] if "maxLength" in schema else []
    wrong += [str(schema["maximum"] + 1)] if "maximum" in schema else []
    wrong += [str(schema["minimum"] - 1)] if "minimum" in schema else []
    for value in wrong:
        found = problem(send(world, operation, params={name: value}), 422, "invalid_request")
        assert f"/query/{name}" in {error["pointer"] for error in found["errors"]}
        sizes["limits: (query, one over)"] += 1
    if "maximum" in schema and name == "limit":
        assert send(world, operation, params={name: schema["maximum"]}).status_code == 200


async def chunks(size: int) -> AsyncIterator[bytes]:
    for _ in range(size // 65_536 + 1):
        yield b" " * 65_536


def most_memory() -> float:
    """The most memory that this process has had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


PLAIN = [
    next(o for o in JSONS if o.service == name)
    for name in ("audits", "credit", "incentives", "notifications", "registry")
]


@pytest.mark.parametrize("operation", PLAIN, ids=str)
def test_a_body_of_any_length_takes_no_more_memory_than_its_limit(
    world: World, operation: Operation, sizes: Sizes
) -> None:
    headers = {"Content-Type": "application/json", "If-Match": "*"}
    over = shared_app.MAX_BODY + 1
    problem(send(world, operation, headers=headers, content=b" " * over, json=None), 413, "file_too_large")
    before = most_memory()
    problem(send(world, operation, headers=headers, content=chunks(200 * MIB), json=None), 413, "file_too_large")
    assert most_memory() - before < 50
    assert problem(send(world, operation, headers=headers, content=b" " * (over - 1), json=None), 422)
    sizes["limits: bodies"] += 3


def imported(world: World, service: str, kind: str, content: bytes) -> httpx.Response:
    upload = {"file": ("file.csv", content)}
    return world["city_ecology 甲"].request("POST", f"/{service}/v1/imports", files=upload, data={"kind": kind})


@pytest.mark.parametrize(("service", "kind"), [("registry", "enterprises"), ("credit", "records")])
def test_a_file_to_import_has_20_mib_and_no_more_rows_and_columns_than_is_said(
    world: World, service: str, kind: str, sizes: Sizes
) -> None:
    before = state_of(world)
    assert LIMITS.file_bytes == 20 * MIB
    problem(imported(world, service, kind, b"x" * (LIMITS.file_bytes + 1)), 413, "file_too_large")
    wide = ",".join("a" * (LIMITS.columns + 1)).encode()
    problem(imported(world, service, kind, wide + b"\n" + wide), 413, "file_too_large")
    long = b"a\n" * (LIMITS.rows + 1)
    problem(imported(world, service, kind, long), 413, "file_too_large")
    assert state_of(world) == before
    sizes["limits: files"] += 3


def test_a_file_of_a_round_has_50_mib(world: World, sizes: Sizes) -> None:
    """At the limit it is looked into, and refused for what it is; one byte more, and it is not."""
    enterprise, most = world["enterprise 甲"], 50 * MIB
    for content, status, code in (
        (b"x" * most, 422, "file_kind_not_allowed"),
        (PDF + b" " * (most + 1 - len(PDF)), 413, "file_too_large"),
        (b"x" * shared_app.MAX_UPLOAD, 413, "file_too_large"),
    ):
        answer = enterprise.request("POST", "/audits/v1/files", files={"file": ("f.pdf", content)})
        problem(answer, status, code)
        sizes["limits: files"] += 1


DEEP, DIGITS = 100_000, 5_000
HOSTILE = {
    "deep list": b"[" * DEEP,
    "deep object": b'{"a":' * DEEP,
    "deep and closed": b"[" * DEEP + b"]" * DEEP,
    "deep in a field": b'{"uscc":' + b"[" * 2_000 + b"]" * 2_000 + b"}",
    "many digits": b'{"uscc": ' + b"9" * DIGITS + b"}",
    "digits as a name": b'{"' + b"9" * DIGITS + b'": 1}',
    "great exponent": b'{"uscc": 1e999999999}',
    "text exponent": b'{"cost_cny": "1e999999999", "value": "1E+999999999"}',
    "not a number": b'{"uscc": NaN, "cost_cny": "NaN", "value": "Infinity"}',
    "many names": b"{" + b",".join(b'"k%d":1' % n for n in range(20_000)) + b"}",
    "same name twice": b'{"uscc": "a", "uscc": "b"}',
    "lone surrogate": b'{"uscc": "\\ud800", "name": "\\udfff"}',
    "nul": b'{"uscc": "\\u0000"}',
}


@pytest.mark.parametrize("operation", JSONS, ids=str)
def test_a_hostile_body_is_refused_and_nothing_fails(world: World, operation: Operation, sizes: Sizes) -> None:
    for name, content in HOSTILE.items():
        headers = {"Content-Type": "application/json", "If-Match": "*"}
        answer = send(world, operation, headers=headers, content=content, json=None)
        assert answer.status_code in (413, 422), (name, answer.status_code, answer.text[:300])
        problem(answer, answer.status_code)
        sizes["limits: hostile bodies"] += 1


def test_an_idempotency_key_has_200_letters(world: World) -> None:
    for length, status in ((200, 200), (201, 400)):
        body = {"programme": "tariff.al", "facts": {}, "as_of": "2026-05-01"}
        answer = world["bank 甲"].post(
            "/incentives/v1/decisions/evaluate", body, headers={"Idempotency-Key": "k" * length}
        )
        assert answer.status_code == status
    problem(answer, 400, "idempotency_key_invalid")


HEADERS = (
    "If-Match",
    "If-None-Match",
    "X-Request-ID",
    "Accept",
    "Accept-Language",
    "traceparent",
    "Cookie",
    "Last-Event-ID",
)


@pytest.mark.parametrize("name", HEADERS)
def test_a_long_header_and_a_long_address_do_no_harm(world: World, name: str, sizes: Sizes) -> None:
    province, side = world["provincial_ecology"], world.sides[0]
    paths = (
        "/registry/v1/enterprises",
        f"/audits/v1/rounds/{side.ids['round_id']}",
        "/audits/v1/deadlines",
        "/notifications/v1/events",
    )
    for path in paths:
        answer = province.get(path, headers={name: 'a,;="-' * 20_000})
        assert answer.status_code in (200, 422), answer.text[:200]
        assert len(answer.headers["x-request-id"]) <= 200
        sizes["limits: long headers"] += 1
    problem(province.get("/registry/v1/enterprises/" + "9" * 60_000), 404, "not_found")
    problem(province.get("/registry/v1/enterprises?" + "a" * 60_000 + "=1"), 422, "invalid_request")


def test_there_is_a_form_for_every_upload() -> None:
    assert len([operation for operation in operations() if operation.kind == MULTIPART]) == 4
