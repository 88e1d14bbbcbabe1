"""The README tells the truth: its commands exist, its links lead somewhere, its walk points at the right lines."""

import re
from pathlib import Path

import pytest

from infra import walk

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
LINKS = sorted(set(re.findall(r"\]\(([^)#]+)(?:#L\d+)?\)", README)))


def test_the_two_commands_come_first() -> None:
    head = README.splitlines()[:6]
    assert any("make run" in line for line in head) and any("make test" in line for line in head)


def test_the_walk_points_at_the_lines_as_they_are() -> None:
    assert walk.table() in README, "python -m infra.cli schemas sets the links anew"


@pytest.mark.parametrize("target", LINKS)
def test_a_link_leads_somewhere(target: str) -> None:
    assert (ROOT / target).exists()


def test_every_make_target_that_the_readme_names_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    named = set(re.findall(r"`?make ([a-z-]+)", README))
    assert named <= targets


def test_every_test_that_a_promise_names_exists() -> None:
    for path, name in re.findall(r"\[`(test_\w+)`\]\(([^)]+)\)", README):
        assert f"def {path}(" in (ROOT / name).read_text(encoding="utf-8"), (path, name)
