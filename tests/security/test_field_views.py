"""The names of the fields that each role is shown, of its own side's things and of the other's, frozen in field_views.json.

Rewrite the file, and read its diff before committing:
    CLEANPROD_REWRITE_VIEWS=1 .venv/bin/python -m pytest -q tests/security/test_field_views.py
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.security.conftest import Sizes
from tests.security.operations import Operation, operations
from tests.security.sight import NOBODYS, thing
from tests.security.test_scope_matrix import TEMPLATES
from tests.security.world import World

FROZEN = Path(__file__).parent / "field_views.json"
BINARY = (".xlsx", ".ics", "/workbook", "/stream", "/files/{file_id}")
READS = [o for o in operations() if o.method == "GET" and not o.path.endswith(BINARY)]
# A schema is a document of its own; an example stands for every event of its type.
CLOSED = {"schema", "example", "facts"}


def names(found: Any, at: str = "") -> Iterator[str]:
    """The pointers of all fields of a document, with every item of a list as one."""
    if isinstance(found, list):
        for item in found:
            yield from names(item, f"{at}[]")
    elif isinstance(found, dict):
        for name, inner in found.items():
            place = f"{at}.{name}".lstrip(".")
            yield place
            if name not in CLOSED:
                yield from names(inner, place)


def view(world: World, name: str, operation: Operation, side: int) -> tuple[str, ...]:
    known = {"kind": TEMPLATES.get(operation.service, ""), "rule_set_id": "tariff.al", "version": "1"}
    answer = world[name].get(operation.at(known | thing(world.sides[side], operation)))
    told = answer.json()
    return tuple(sorted(set(names(told)))) if answer.status_code == 200 else (f"{answer.status_code} {told['code']}",)


def label(name: str, jurisdiction: str) -> str:
    """A caller's name without its side; an auditor of a city is another than the province's."""
    return f"auditor of {jurisdiction}" if name.startswith("auditor ") else name.removesuffix(" 甲")


def views(world: World, operation: Operation) -> list[dict[str, Any]]:
    """Who is shown what, the same views together; `own` and `other` as seen from the first side."""
    second = world.sides[1]
    found: dict[tuple[str, ...], list[str]] = {}
    addressed = set(operation.names("path")) - NOBODYS
    for name, caller in world.callers.items():
        if second.word in name:
            continue
        for number, whose in enumerate(("own", "other") if addressed else ("",)):
            who = f"{label(name, caller.jurisdiction)} {whose}".strip()
            found.setdefault(view(world, name, operation, number), []).append(who)
    return [{"roles": sorted(roles), "fields": list(fields)} for fields, roles in sorted(found.items())]


@pytest.mark.parametrize("operation", READS, ids=str)
def test_each_role_is_shown_the_frozen_fields(world: World, operation: Operation, sizes: Sizes) -> None:
    found = views(world, operation)
    if os.environ.get("CLEANPROD_REWRITE_VIEWS"):
        before = json.loads(FROZEN.read_text(encoding="utf-8")) if FROZEN.exists() else {}
        known = {str(read) for read in READS}
        kept = {name: shown for name, shown in before.items() if name in known} | {str(operation): found}
        FROZEN.write_text(json.dumps(kept, ensure_ascii=False, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    frozen = json.loads(FROZEN.read_text(encoding="utf-8"))
    assert found == frozen[str(operation)]
    sizes["field views: (operation, role, own or other)"] += sum(len(shown["roles"]) for shown in found)
    sizes["field views: operations"] += 1


def test_nothing_is_frozen_that_is_not_read_any_more() -> None:
    assert set(json.loads(FROZEN.read_text(encoding="utf-8"))) == {str(operation) for operation in READS}
