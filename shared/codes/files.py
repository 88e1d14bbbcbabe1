"""The data files of the code lists, read once."""

from functools import cache
from pathlib import Path
from typing import Any

from shared.datafiles import read_data

DATA = Path(__file__).parent.parent / "data"


@cache
def read(name: str) -> Any:
    """A YAML file of shared/data; the one parsed document, so a caller must not change it."""
    return read_data(DATA / name)
