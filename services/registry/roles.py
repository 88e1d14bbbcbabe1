"""Which scopes a role's token carries; data, so that a ministry's own split of duties is a reviewed diff."""

from functools import cache
from pathlib import Path

from shared.datafiles import read_data

DATA = Path(__file__).parent / "data" / "roles.yaml"


@cache
def scopes_of(role: str) -> frozenset[str]:
    """The scopes of a role; an unknown role is a KeyError."""
    given = read_data(DATA)
    mine = given["roles"][role]
    groups = [scope for group in mine.get("groups", []) for scope in given[group]]
    return frozenset([*given["everyone"], *groups, *mine.get("scopes", [])])
