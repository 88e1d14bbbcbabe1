"""Data files: law, code lists, rules and texts as YAML."""

from pathlib import Path
from typing import Any

import yaml

try:
    from yaml import CSafeLoader as SafeLoader  # a seventh of the time
except ImportError:  # a machine for which there is no libyaml
    from yaml import SafeLoader  # type: ignore[assignment]


def read_data(path: Path) -> Any:
    """The document in a YAML file, plain data only; yaml.YAMLError where it is none."""
    return yaml.load(path.read_text(encoding="utf-8"), SafeLoader)
