"""The data files of the code lists, read once."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

DATA = Path(__file__).parent.parent / "data"


@cache
def read(name: str) -> Any:
    """A YAML file of shared/data; the one parsed document, so a caller must not change it."""
    return yaml.safe_load((DATA / name).read_text(encoding="utf-8"))
