"""Every type of problem that the platform answers with: its status, what it means, what to do."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from shared.datafiles import read_data
from shared.problems import Problem, Text

ROOT = Path(__file__).parent.parent
DATA = Path(__file__).parent / "pages" / "problems.yaml"


@dataclass(frozen=True)
class ProblemType:
    """One `/problems/<code>` page."""

    code: str
    status: int
    title: Text
    meaning: Text
    advice: Text


@cache
def known() -> dict[str, ProblemType]:
    """Problem types by code: those that the data describes, and every code that a module raises by name."""
    data = read_data(DATA)
    titles = {kind.status: kind.title for kind in _kinds().values()} | {k: _text(v) for k, v in data["titles"].items()}
    statuses = dict(_raised()) | {c: d["status"] for c, d in data["codes"].items()}
    found = {}
    for code, status in sorted(statuses.items()):
        title = titles.get(status, Text("请求有误", "The request is not right"))
        meaning = _text(data["codes"][code]) if code in data["codes"] else title
        found[code] = ProblemType(code, status, title, meaning, _text(data["advice"].get(status, data["advice"][500])))
    return found


def _text(given: dict[str, Any]) -> Text:
    return Text(given["zh"], given["en"])


def _kinds() -> dict[str, type[Problem]]:
    """Problem classes by name; the shared ones first, so that a status has the title that everybody knows."""
    found: dict[str, type[Problem]] = {}
    waiting: list[type[Problem]] = [Problem]
    while waiting:
        kind = waiting.pop()
        found[kind.__name__] = kind
        waiting += kind.__subclasses__()
    return dict(sorted(found.items(), key=lambda item: item[1].__module__ == "shared.problems"))


def _raised() -> Iterator[tuple[str, int]]:
    # Read from the source rather than kept in a list: a list would be forgotten with the next code.
    kinds = _kinds()
    for folder in ("shared", "services"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ClassDef) and node.name in kinds:
                    yield from _codes(node, "__init__", kinds[node.name].status)
                elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in kinds:
                    yield from _codes(node, node.func.id, kinds[node.func.id].status)


def _codes(inside: ast.AST, name: str, status: int) -> Iterator[tuple[str, int]]:
    """The codes that calls of `name` pass by value."""
    for node in ast.walk(inside):
        if isinstance(node, ast.Call) and node.args and name in (_called(node.func)):
            first = node.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str) and first.value.isidentifier():
                yield first.value, status


def _called(function: ast.expr) -> tuple[str, ...]:
    match function:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return (name,)
    return ()
