"""Rules that matter, read from the code itself: scopes, keys, boundaries, sizes, and what must not be there."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from functools import cache
from pathlib import Path

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from infra.parts import SERVICES
from shared import http
from shared.crashpoints import CRASH_POINTS
from shared.events import CATALOGUE, PRODUCERS, load_catalogue

ROOT = Path(__file__).parents[2]
CODE = ("services", "shared", "infra")

# Signing in and public keys come before any token.
OPEN = {"/registry/v1/oauth/token", "/registry/v1/.well-known/jwks.json", "/notifications/v1/.well-known/webhook-keys.json"}

# 201 or 202 without a key: what is made is an answer, or making it again makes the same.
KEYLESS: dict[str, date] = {}

# Longer than style allows, since that day. This list only shrinks.
LONG_FUNCTIONS: dict[str, date] = {}
LONG_FILES: dict[str, date] = {}

# Declared places where no test ends the process yet, since that day. This list only shrinks.
UNVISITED: dict[str, date] = {}

# One place is meant by every name, but each bus has its own consumer, and two services publish lists.
PLACES = {"consumer.before_settle": 2, "consumer.after_settle": 2, "consumer.after_offset": 2, "publish.in_progress": 2}


def python_files(*folders: str) -> list[Path]:
    found = [p for folder in folders for p in sorted((ROOT / folder).rglob("*.py"))]
    return [p for p in found if "migrations" not in p.parts and "target" not in p.parts]


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def routes() -> list[APIRoute]:
    return [r for service in SERVICES for r in service.router.routes if isinstance(r, APIRoute)]


def dependencies(dependant: Dependant) -> Iterator[object]:
    for inner in dependant.dependencies:
        yield inner.call
        yield from dependencies(inner)


def label(route: APIRoute) -> str:
    return f"{'/'.join(sorted(route.methods or ()))} {route.path}"


def same(found: set[str], excused: dict[str, date], what: str) -> None:
    assert found - set(excused) == set(), what
    assert set(excused) - found == set(), "no longer needed in the list of exceptions"


def test_the_services_have_routes() -> None:
    assert {r.path.split("/")[1] for r in routes()} == {s.name for s in SERVICES}


def test_every_route_has_a_declared_scope() -> None:
    bare = {r.path for r in routes() if not any(hasattr(call, "scope") for call in dependencies(r.dependant))}
    assert bare - OPEN == set(), "a route without needs(scope)"
    assert bare == OPEN & {r.path for r in routes()}, "an open path that has a scope is not open"


def test_every_scope_is_held_by_some_role() -> None:
    from services.registry.roles import scopes_of
    from shared.auth import ROLES

    held = {scope for role in ROLES for scope in scopes_of(role)}
    asked = {getattr(call, "scope", None) for r in routes() for call in dependencies(r.dependant)} - {None}
    assert asked - held == set(), "a scope that nobody has closes its route to all"


def test_every_route_runs_in_one_transaction_of_the_edge() -> None:
    assert [label(r) for r in routes() if not isinstance(r, http.ServiceRoute)] == []


def test_every_creating_post_requires_an_idempotency_key() -> None:
    creating = [r for r in routes() if "POST" in (r.methods or ()) and r.status_code in (201, 202)]
    assert creating
    keyless = {label(r) for r in creating if http._creates not in set(dependencies(r.dependant))}
    same(keyless, KEYLESS, "a creating POST without `creates`")


def test_every_route_has_a_public_sentence() -> None:
    assert [label(r) for r in routes() if not (r.endpoint.__doc__ or "").strip()] == []


def test_import_contracts_hold() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]


def test_only_one_module_imports_kafka() -> None:
    importing = set()
    for path in python_files(*CODE):
        for node in ast.walk(tree(path)):
            modules = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            if any(module.split(".")[0] == "kafka" for module in modules):
                importing.add(name_of(path))
    assert importing == {"shared/messaging/kafka.py"}


def test_functions_are_at_most_forty_lines() -> None:
    long = set()
    for path in python_files(*CODE):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _length(node) > 40:
                long.add(f"{name_of(path)}:{node.name}")
    same(long, LONG_FUNCTIONS, "a function of more than 40 lines")


def _length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def test_files_are_at_most_three_hundred_lines_and_tests_four_hundred() -> None:
    long = {
        name_of(path)
        for path in python_files(*CODE, "tests")
        if len(path.read_text(encoding="utf-8").splitlines()) > (400 if name_of(path).startswith("tests/") else 300)
    }
    same(long, LONG_FILES, "a file that is too long")


def test_every_module_begins_with_a_sentence() -> None:
    bare = [name_of(p) for p in python_files(*CODE, "tests") if p.stat().st_size and not ast.get_docstring(tree(p))]
    assert bare == []


def test_settings_are_read_by_no_module_at_import() -> None:
    found = []
    for path in python_files(*CODE):
        for node in tree(path).body:
            if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
                made = [c for c in ast.walk(node.value) if isinstance(c, ast.Call)]
                if any(ast.unparse(c.func).split(".")[-1] == "Settings" for c in made):
                    found.append(name_of(path))
    assert found == []


def test_no_clock_is_read_without_its_zone() -> None:
    naive = [
        f"{name_of(path)}:{call.lineno}"
        for path in python_files(*CODE, "tests")
        for name, call in calls(path)
        if (name.endswith("datetime.now") and not call.args and not call.keywords)
        or name.endswith(("datetime.utcnow", "datetime.today", "date.today", "utcfromtimestamp"))
    ]
    assert naive == []


def test_rules_read_no_clock_at_all() -> None:
    reading = [
        f"{name_of(path)}:{call.lineno}"
        for path in python_files("services")
        if path.stem == "rules" or "rules" in path.parts
        for name, call in calls(path)
        if name.split(".")[-1] in ("now", "utc_now", "today", "time_ns") or name == "time.time"
    ]
    assert reading == []


def test_every_event_module_is_in_the_catalogue() -> None:
    modules = {p.stem for p in (ROOT / "shared" / "events").glob("*.py")} - {"__init__"}
    assert modules == set(PRODUCERS)
    load_catalogue()
    assert {type.split(".")[0] for type in CATALOGUE} == modules


def test_only_actions_emit() -> None:
    """Events in tests and imports aside: an import is an action over many rows."""
    emitting = {name_of(p) for p in python_files("services") for name, _ in calls(p) if name.split(".")[-1] == "emit"}
    outside = {name for name in emitting if not re.search(r"/(actions(/|\.py)|imports(/|\.py))", name)}
    assert outside == set()


def test_the_readme_says_first_how_to_run_and_to_test() -> None:
    first = "\n".join((ROOT / "README.md").read_text(encoding="utf-8").splitlines()[:10])
    assert "make run" in first and "make test" in first


def test_nothing_tracked_names_a_package_registry() -> None:
    hosts = ["py" + "pi.org", "python" + "hosted.org", "npm" + "js.org", "npm" + "js.com", "index" + "-url", "repo1." + "maven"]
    # What others wrote and we only carry is theirs to word.
    command = ["git", "grep", "-liE", "|".join(h.replace(".", r"\.") for h in hosts), "--", ".", ":!infra/pages/vendor"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode in (0, 1), done.stderr
    assert done.stdout.split() == []


def crash_calls() -> list[str]:
    return [
        str(node.args[0].value)
        for path in python_files(*CODE)
        for name, node in calls(path)
        if name.split(".")[-1] == "crash_point" and isinstance(node.args[0], ast.Constant)
    ]


def test_every_crash_point_that_is_called_is_declared() -> None:
    assert set(crash_calls()) - set(CRASH_POINTS) == set()


@pytest.mark.parametrize("name", sorted(CRASH_POINTS))
def test_a_crash_point_is_one_place(name: str) -> None:
    assert crash_calls().count(name) == PLACES.get(name, 1)


def test_every_crash_point_is_visited_by_a_test() -> None:
    words = "\n".join(p.read_text(encoding="utf-8") for p in python_files("tests/fault"))
    by_name = {name for name in CRASH_POINTS if f'"{name}"' in words}
    visited = set(CRASH_POINTS) if re.search(r"parametrize\([^)]*\bCRASH_POINTS\b", words) else by_name
    same(set(CRASH_POINTS) - visited, UNVISITED, "no fault test names it")
