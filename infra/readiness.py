"""Readiness of the whole: what `/readyz` says where every service answers for itself in a process of its own."""

import json
import os
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

from fastapi import Response

SECONDS = 3.0


def addresses() -> dict[str, str]:
    """`CLEANPROD_API_URLS`: `registry=http://registry-api:8000 audits=…`."""
    given = os.environ.get("CLEANPROD_API_URLS", "").split()
    return dict(item.split("=", 1) for item in given)


def readyz() -> Response:
    """200 where every service is ready; per service what it says of database, migrations, bus and lag."""
    checks = {name: _asked(url) for name, url in addresses().items()}
    ready = all(check.get("ready") for check in checks.values())
    body = {"status": "ready" if ready else "starting", "services": checks}
    return Response(json.dumps(body), 200 if ready else 503, media_type="application/json")


def _asked(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port or 80, timeout=SECONDS)
    try:
        connection.request("GET", "/readyz")
        said = json.loads(connection.getresponse().read())["services"]
    except (OSError, ValueError, KeyError) as error:
        return {"ready": False, "process": type(error).__name__}
    finally:
        connection.close()
    return dict(next(iter(said.values())))
