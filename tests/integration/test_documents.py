"""The documents of the product: complete, true to the code, and needing no other host."""

import json
import re
from html.parser import HTMLParser
from typing import Any

import httpx
import jsonschema
import pytest
from starlette.testclient import TestClient

from infra import asyncapi, documents, openapi
from infra.parts import SERVICES
from infra.problemtypes import known
from shared.app import create_app, is_open
from shared.events import Audience, load_catalogue

OPERATIONS = {key: o for service in SERVICES for key, o in openapi.operations_of(service.router)}


@pytest.fixture(scope="module")
def site() -> TestClient:
    return TestClient(documents.application(), raise_server_exceptions=False)


@pytest.fixture(scope="module")
def interface(site: TestClient) -> dict[str, Any]:
    found: dict[str, Any] = site.get("/openapi.json").json()
    return found


@pytest.fixture(scope="module")
def events(site: TestClient) -> dict[str, Any]:
    found: dict[str, Any] = site.get("/asyncapi.json").json()
    return found


class Links(HTMLParser):
    """Every address that a page loads or leads to, and every inline script or style."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.inline: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.found += [value for name in ("href", "src") if (value := given.get(name))]
        if tag == "style" or (tag == "script" and "src" not in given) or "style" in given or "onclick" in given:
            self.inline.append(tag)


def pages(site: TestClient) -> dict[str, httpx.Response]:
    return {path: site.get(path) for path in ("/", "/docs", "/problems/move-not-allowed")}


def test_the_first_page_says_what_this_is_in_two_languages_and_that_there_is_no_console(site: TestClient) -> None:
    page = site.get("/").text
    for sentence in (
        "湖南工业清洁生产平台",
        "目前没有网页控制台",
        "There is no web console yet",
        "/registry/v1/oauth/token",
    ):
        assert sentence in page


def test_no_page_needs_another_host_or_an_inline_script(site: TestClient) -> None:
    for path, answer in pages(site).items():
        assert answer.status_code == 200, path
        links = Links(answer.text)
        assert links.inline == [], path
        assert [link for link in links.found if not link.startswith("/") or link.startswith("//")] == [], path
        assert "script-src 'self';" in answer.headers["content-security-policy"]


def test_every_file_that_a_page_loads_is_served(site: TestClient) -> None:
    loaded = {link for answer in pages(site).values() for link in Links(answer.text).found if link.startswith("/docs/")}
    assert len(loaded) >= 5
    for link in loaded:
        assert site.get(link).status_code == 200, link


def test_the_vendored_pages_ask_no_validator_and_come_with_their_licence(site: TestClient) -> None:
    assert "validatorUrl: null" in site.get("/docs/start.js").text
    assert "Apache License" in site.get("/docs/LICENSE").text


@pytest.mark.parametrize("name", ["..%2Fhome.html", "%2e%2e/documents.py", "vendor", "README.md"])
def test_only_listed_files_are_served(site: TestClient, name: str) -> None:
    assert site.get(f"/docs/{name}").status_code in (401, 404)


def test_a_host_header_cannot_put_markup_on_the_first_page(site: TestClient) -> None:
    assert "<script>alert" not in site.get("/", headers={"Host": "a<script>alert(1)</script>"}).text


def test_the_interface_has_every_route_of_every_service(interface: dict[str, Any]) -> None:
    shown = {(path, method) for path, methods in interface["paths"].items() for method in methods}
    assert shown == set(OPERATIONS)
    assert len(shown) > 20


def test_every_operation_names_the_scope_that_its_route_checks(interface: dict[str, Any]) -> None:
    scopes = interface["components"]["securitySchemes"]["oauth2"]["flows"]["clientCredentials"]["scopes"]
    for (path, method), operation in OPERATIONS.items():
        described = interface["paths"][path][method]
        assert described.get("x-required-scope", []) == list(operation.scopes), (path, method)
        wanted = [{"oauth2": [scope]} for scope in operation.scopes]
        assert described["security"] == wanted
        assert set(operation.scopes) <= set(scopes)
    assert sum(bool(o.scopes) for o in OPERATIONS.values()) > len(OPERATIONS) / 2


def test_every_operation_names_its_refusals_as_problem_documents(interface: dict[str, Any]) -> None:
    for (path, method), operation in OPERATIONS.items():
        answers = interface["paths"][path][method]["responses"]
        assert "application/problem+json" in answers["default"]["content"]
        assert {str(status) for status in operation.refusals} <= set(answers), (path, method)
        assert ("401" in answers) == (not is_open(path))
        assert ("400" in answers) >= operation.creates
        assert "HTTPValidationError" not in json.dumps(answers)


def test_every_reference_in_the_documents_leads_somewhere(interface: dict[str, Any], events: dict[str, Any]) -> None:
    for document in (interface, events):
        references = re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(document))
        assert references
        for reference in references:
            place: Any = document
            for part in reference.split("/"):
                place = place[part.replace("~1", "/").replace("~0", "~")]


def test_the_example_of_every_refusal_has_the_shape_of_a_problem(interface: dict[str, Any]) -> None:
    schema = interface["components"]["schemas"]["Problem"]
    for name, answer in interface["components"]["responses"].items():
        example = answer["content"]["application/problem+json"]["example"]
        jsonschema.validate(example, schema)
        assert f"Problem{example['status']}" == name


def test_the_events_are_those_that_leave_the_platform_and_no_others(events: dict[str, Any]) -> None:
    outward = {name for name, kind in load_catalogue().items() if kind.audience is not Audience.INTERNAL}
    assert events["asyncapi"] == "3.0.0"
    assert set(events["components"]["messages"]) == outward
    for channel in ("webhook", "feed"):
        assert set(events["channels"][channel]["messages"]) == outward
        assert len(events["operations"][f"send_{channel}"]["messages"]) == len(outward)


def test_every_event_example_has_the_published_shape_and_shows_nothing_internal(events: dict[str, Any]) -> None:
    for name, message in events["components"]["messages"].items():
        example = message["examples"][0]["payload"]
        jsonschema.validate(example, _with_local_definitions(message["payload"]))
        hidden = load_catalogue()[name].internal_fields()
        assert not hidden & set(example["data"])
        assert not hidden & set(message["payload"]["properties"]["data"]["properties"])
        assert message["x-audience"] == load_catalogue()[name].audience.value


def _with_local_definitions(payload: dict[str, Any]) -> dict[str, Any]:
    text = re.sub(r"#/components/messages/[^/]+/payload/", "#/", json.dumps(payload))
    found: dict[str, Any] = json.loads(text)
    return found


def test_every_problem_type_has_a_page_in_two_languages(site: TestClient) -> None:
    assert {"move_not_allowed", "precondition_missing", "not_found", "overloaded"} <= set(known())
    for code, kind in known().items():
        page = site.get(f"/problems/{code.replace('_', '-')}")
        assert page.status_code == 200, code
        assert kind.code in page.text
        assert kind.advice.zh in page.text
        assert f"HTTP {kind.status}" in page.text


def test_an_unknown_problem_type_is_itself_a_problem(site: TestClient) -> None:
    answer = site.get("/problems/no-such-thing")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_the_documents_are_open_and_the_rest_of_their_process_is_not(site: TestClient) -> None:
    for path in ("/", "/docs", "/openapi.json", "/asyncapi.json", "/livez"):
        assert site.get(path).status_code == 200, path
    assert site.get("/registry/v1/enterprises").status_code == 401


def test_mounted_beside_the_services_the_documents_are_the_same(interface: dict[str, Any]) -> None:
    edge = create_app(SERVICES, {}, documents.nobody())
    documents.mount(edge.api, SERVICES)
    assert TestClient(edge).get("/openapi.json").json() == interface


def test_the_outward_catalogue_is_not_empty() -> None:
    assert len(asyncapi.outward()) >= 10
