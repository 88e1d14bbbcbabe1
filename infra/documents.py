"""The documents of the product: the first page, the interface, the events, the types of problems.

`python -m infra.documents` serves them as a process of its own; `make run` mounts them beside the services.
"""

import html
import json
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from string import Template
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse, HTMLResponse
from joserfc.jwk import KeySet

from infra import asyncapi, openapi
from infra.parts import SERVICES
from infra.problemtypes import known
from infra.readiness import readyz
from shared import logs
from shared.app import Edge, create_app
from shared.auth import TokenVerifier
from shared.problems import NotFound
from shared.run import serve
from shared.service import Service
from shared.settings import Settings

PAGES = Path(__file__).parent / "pages"
VENDOR = PAGES / "vendor"
FILES = {
    "swagger-ui-bundle.js": (VENDOR / "swagger-ui-bundle.js", "text/javascript"),
    "swagger-ui.css": (VENDOR / "swagger-ui.css", "text/css"),
    "LICENSE": (VENDOR / "LICENSE", "text/plain"),
    "NOTICE": (VENDOR / "NOTICE", "text/plain"),
    "favicon.png": (VENDOR / "favicon-32x32.png", "image/png"),
    "start.js": (PAGES / "start.js", "text/javascript"),
    "pages.css": (PAGES / "pages.css", "text/css"),
    "verify_webhook.py": (PAGES / "verify_webhook.py", "text/plain; charset=utf-8"),
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {"Content-Security-Policy": POLICY, "Referrer-Policy": "no-referrer", "Cache-Control": "no-cache"}


def mount(api: FastAPI, services: Sequence[Service]) -> None:
    """Add `/`, `/docs`, `/asyncapi.json` and `/problems/…`, and complete `/openapi.json`; `api` has all the routes."""
    api.openapi = _once(lambda: openapi.document(api, services))  # type: ignore[method-assign]
    api.add_api_route("/", _home, include_in_schema=False)
    api.add_api_route("/docs", _docs, include_in_schema=False)
    api.add_api_route("/docs/{name}", _file, include_in_schema=False)
    api.add_api_route("/asyncapi.json", _asyncapi, include_in_schema=False)
    api.add_api_route("/problems/{code}", _problem, include_in_schema=False)


def application() -> Edge:
    """The documents of all services, and nothing else of them."""
    whole = create_app(SERVICES, {}, nobody(), None).api
    edge = create_app([], {}, nobody(), None)
    # Without services of its own, this process is as ready as the services are.
    edge.api.router.routes[:] = [r for r in edge.api.router.routes if getattr(r, "path", "") != "/readyz"]
    edge.api.add_api_route("/readyz", readyz, include_in_schema=False)
    mount(edge.api, [])
    edge.api.openapi = _once(lambda: openapi.document(whole, SERVICES))  # type: ignore[method-assign]
    return edge


def nobody() -> TokenVerifier:
    """Knows no key: no token opens anything here."""
    return TokenVerifier(lambda: KeySet([]), "")


def _once(make: Callable[[], dict[str, Any]]) -> Callable[[], dict[str, Any]]:
    return cache(make)


def _page(name: str, **values: str) -> HTMLResponse:
    text = Template((PAGES / name).read_text(encoding="utf-8")).substitute(values)
    return HTMLResponse(text, headers=HEADERS)


def _home(request: Request) -> HTMLResponse:
    return _page("home.html", origin=html.escape(str(request.base_url).rstrip("/")))


def _docs() -> HTMLResponse:
    return _page("docs.html")


def _file(name: str) -> Response:
    if name not in FILES:
        raise NotFound()
    path, media_type = FILES[name]
    return FileResponse(path, media_type=media_type, headers={"Cache-Control": "public, max-age=3600"})


@cache
def _events() -> bytes:
    return json.dumps(asyncapi.document(), ensure_ascii=False).encode()


def _asyncapi() -> Response:
    return Response(_events(), media_type="application/json")


def _problem(code: str) -> HTMLResponse:
    kind = known().get(code.replace("-", "_"))
    if kind is None:
        raise NotFound()
    texts = {"title": kind.title, "meaning": kind.meaning, "advice": kind.advice}
    values = {f"{name}_{lang}": html.escape(text) for name, t in texts.items() for lang, text in t.both().items()}
    return _page("problem.html", code=kind.code, status=str(kind.status), **values)


def main() -> None:
    settings = Settings()
    logs.setup(settings.log_level)
    serve(application(), settings)


if __name__ == "__main__":
    main()
