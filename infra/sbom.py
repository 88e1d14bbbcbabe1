"""What the product is made of, as CycloneDX 1.6: `python -m infra.sbom` writes `infra/sbom.json` from the locks.

Every locked package with its licence and a digest of its allowed distributions, every vendored file with its own hash.
"""

import hashlib
import json
import re
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
TARGET = ROOT / "infra" / "sbom.json"
VENDOR = ROOT / "infra" / "pages" / "vendor"
LOCKS = {"required": ROOT / "requirements" / "runtime.txt", "excluded": ROOT / "requirements" / "dev.txt"}
_PINNED = re.compile(
    r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)[^\n]*((?:\n    --hash=sha256:[0-9a-f]{64}[ \\]*)+)", re.M
)
_CLASSIFIER = "License :: OSI Approved :: "


def document() -> dict[str, Any]:
    """The whole bill; the same locks give the same bytes."""
    found: dict[str, dict[str, Any]] = {}
    for scope, lock in LOCKS.items():  # what runs comes first: a package in both locks runs
        for name, version, hashes in _PINNED.findall(lock.read_text(encoding="utf-8")):
            found.setdefault(f"{name} {version}", _package(name, version, hashes, scope))
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": "cleanprod", "bom-ref": "cleanprod"}},
        "components": [*(found[name] for name in sorted(found)), _swagger()],
    }


def _package(name: str, version: str, hashes: str, scope: str) -> dict[str, Any]:
    allowed = sorted(re.findall(r"sha256:([0-9a-f]{64})", hashes))
    purl = f"pkg:pypi/{name}@{version}"
    return {
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": version,
        "scope": scope,
        "purl": purl,
        "licenses": [{"license": {"name": licence}} for licence in _licences(name)],
        "properties": [
            {"name": "cleanprod:distributions", "value": str(len(allowed))},
            {
                "name": "cleanprod:distributions-sha256",
                "value": hashlib.sha256("\n".join(allowed).encode()).hexdigest(),
            },
        ],
    }


def _licences(name: str) -> list[str]:
    """As the installed package declares them: an expression, else classifiers, else the first line of its text."""
    try:
        told = metadata(name)
    except PackageNotFoundError:
        return []
    if expressions := told.get_all("License-Expression"):
        return expressions
    known = [
        text.removeprefix(_CLASSIFIER) for text in told.get_all("Classifier") or [] if text.startswith(_CLASSIFIER)
    ]
    return known or [text.strip().splitlines()[0] for text in told.get_all("License") or [] if text.strip()]


def _swagger() -> dict[str, Any]:
    version = re.search(r"Swagger UI ([0-9.]+)", (VENDOR / "README.md").read_text(encoding="utf-8"))
    assert version is not None, "the vendored README names the version"
    purl = f"pkg:npm/swagger-ui-dist@{version[1]}"
    files = [
        {
            "type": "file",
            "name": file.name,
            "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(file.read_bytes()).hexdigest()}],
        }
        for file in sorted(VENDOR.iterdir())
    ]
    licence = [{"license": {"id": "Apache-2.0"}}]
    return {
        "type": "library", "bom-ref": purl, "name": "swagger-ui-dist", "version": version[1], "scope": "required",
        "purl": purl, "licenses": licence, "components": files,
    }  # fmt: skip


def content() -> str:
    return json.dumps(document(), ensure_ascii=False, indent=1) + "\n"


if __name__ == "__main__":
    TARGET.write_text(content(), encoding="utf-8")
