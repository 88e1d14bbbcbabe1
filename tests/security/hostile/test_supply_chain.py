"""What the product is made of is written down, locked by hash, licensed, and needs nobody else's host."""

import hashlib
import json
import re
from typing import Any

import pytest

from infra import sbom

FILED: dict[str, Any] = json.loads(sbom.TARGET.read_text(encoding="utf-8"))


def test_the_bill_is_that_of_the_locks_and_the_vendored_files() -> None:
    assert sbom.TARGET.read_text(encoding="utf-8") == sbom.content(), "make sbom writes it anew"


@pytest.mark.parametrize("scope", sbom.LOCKS)
def test_every_locked_package_is_pinned_by_hash_and_in_the_bill(scope: str) -> None:
    lock = sbom.LOCKS[scope].read_text(encoding="utf-8")
    pinned = set(re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", lock, re.M))
    entries = re.split(r"^(?=[^ #\n])", lock, flags=re.M)[1:]
    assert len(entries) == len(pinned) > 20
    assert [entry for entry in entries if "==" not in entry or "--hash=sha256:" not in entry] == []
    assert pinned <= {(part["name"], part["version"]) for part in FILED["components"]}
    assert not re.search(r"https?://|--index|--trusted|git\+", lock)


def test_everything_that_runs_has_a_licence_that_lets_it() -> None:
    licences = {
        p["name"]: [next(iter(text["license"].values())) for text in p["licenses"]] for p in FILED["components"]
    }
    running = {part["name"] for part in FILED["components"] if part["scope"] == "required"}
    assert [name for name in running if not licences[name]] == []
    closed = re.compile(r"(?<!L)GPL|AGPL|SSPL|BUSL|Commons Clause|Proprietary", re.I)
    assert {name: licences[name] for name in running if closed.search(" ".join(licences[name]))} == {}


def test_the_vendored_script_is_the_one_of_the_bill() -> None:
    (swagger,) = [part for part in FILED["components"] if part["name"] == "swagger-ui-dist"]
    told = {file["name"]: file["hashes"][0]["content"] for file in swagger["components"]}
    found = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sbom.VENDOR.iterdir()}
    assert told == found and "swagger-ui-bundle.js" in told
