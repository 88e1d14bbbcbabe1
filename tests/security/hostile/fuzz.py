"""Random requests to every operation of the interface, as every role, and what an answer must keep to.

`python -m tests.security.hostile.fuzz --examples 2000` runs longer than the lane of `make test`.
"""

import argparse
import json
import os
import secrets
import sys
from typing import Any

import requests
import schemathesis
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS
from schemathesis.core.result import Ok
from schemathesis.core.transport import Response

from tests.security.hostile.plausible import able_roles, known_values, sensible, wrong_somewhere
from tests.security.hostile.stock import PLACES, Stock
from tests.security.operations import document

EXAMPLES = int(os.environ.get("CLEANPROD_FUZZ_EXAMPLES", "16"))
BASE = "http://127.0.0.1:8000"
PROBLEM = "application/problem+json"
MEMBERS = ("type", "title", "status", "detail", "code", "instance", "request_id")
# Bodies that no generator finds often enough: one of these replaces a generated one now and then.
ODD_BODIES = (
    b"", b"{", b"[]", b"null", b"0", b'"x"', b'{"a": NaN}', b'{"\\ud800": 1}', b'{"\\u0000": 1}', b'{"name": "\\udfff"}',
    b"\xff\xfe{\x00}\x00", b"\xef\xbb\xbf{}", b'{"uscc": 1e999}', b"{" * 3000, b"[" * 100_000, b'{"uscc":' * 2000,
    b"9" * 5000, b'{"a":1,"a":2}', b"\x00", b"grant_type=client_credentials&x=%ff%00", b"--x\r\n\r\n--x--",
)  # fmt: skip
ODD_TYPES = (
    "application/json", "text/plain", "multipart/form-data", "multipart/form-data; boundary=x", "application/xml",
    "application/x-www-form-urlencoded", "application/json; charset=utf-16", "application/json; charset=none", "a/b/c", "",
)  # fmt: skip


def operations() -> dict[str, Any]:
    """Every operation that schemathesis knows, by method and path."""
    schema = schemathesis.openapi.from_dict(document())
    found = [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]
    return {f"{operation.method.upper()} {operation.path}": operation for operation in found}


@st.composite
def requests_to(draw: st.DrawFn, operation: Any, stock: Stock) -> tuple[Any, str, Any]:
    """A case of an operation, the role that sends it, and perhaps a body to put in the place of its own."""
    mode = draw(st.sampled_from([GenerationMode.POSITIVE] * 3 + [GenerationMode.NEGATIVE]))
    case = draw(operation.as_strategy(generation_mode=mode))
    anybody = draw(st.integers(0, 3)) == 0
    role = draw(st.sampled_from(sorted(PLACES) if anybody else able_roles(operation)))
    for name in case.path_parameters or {}:
        ids = stock.ids_for(name, operation.path, role)
        if ids and draw(st.integers(0, 7)) > 0:
            case.path_parameters[name] = draw(st.sampled_from(ids))
    if isinstance(case.body, dict):
        case.body = sensible(draw, case.body, known_values(stock))
    case.headers = draw(_headers(case))
    if isinstance(case.query, dict) and "wait" in case.query:
        case.query["wait"] = draw(st.sampled_from(["0", "-1", "31", "x"]))
    odd = None
    if isinstance(case.body, dict) and case.media_type == "application/json" and draw(st.integers(0, 3)) == 0:
        odd = (json.dumps(wrong_somewhere(draw, case.body)).encode(), case.media_type)
    elif operation.method.upper() in ("POST", "PATCH") and draw(st.integers(0, 9)) == 0:
        odd = (draw(st.sampled_from(ODD_BODIES)), draw(st.sampled_from(ODD_TYPES)))
    return case, role, odd


@st.composite
def _headers(draw: st.DrawFn, case: Any) -> dict[str, str]:
    headers = dict(case.headers or {})
    if draw(st.integers(0, 5)):
        headers = {k: v for k, v in headers.items() if k.lower() not in ("if-match", "idempotency-key")}
        headers |= {"If-Match": "*", "Idempotency-Key": secrets.token_hex(8)}
    if draw(st.integers(0, 3)) == 0:
        headers["Accept"] = draw(st.sampled_from(["*/*", "text/csv", "application/x-ndjson", "text/html", "x", ""]))
    return headers


def send(stock: Stock, case: Any, role: str, odd: tuple[bytes, str] | None) -> Response:
    """Put a case on the wire as requests would, with the role's token."""
    given = case.as_transport_kwargs(base_url=BASE)
    given = {k: v for k, v in given.items() if k in ("method", "url", "headers", "params", "json", "data", "files")}
    prepared = requests.Request(**given, cookies=dict(case.cookies or {})).prepare()
    prepared.headers["Authorization"] = f"Bearer {stock.token(role)}"
    if "oauth/token" in prepared.path_url:
        del prepared.headers["Authorization"]
    if odd is not None:
        prepared.body, prepared.headers["Content-Type"] = odd
        prepared.headers["Content-Length"] = str(len(odd[0]))
    given_body: Any = prepared.body or b""
    body = given_body.encode("utf-8", "replace") if isinstance(given_body, str) else given_body
    headers = [(_latin(k), _latin(v)) for k, v in prepared.headers.items()]
    answer = stock.line.call(str(prepared.method), prepared.path_url.encode("utf-8", "replace"), headers, body)
    lists = {name: [value] for name, value in answer.headers.items()}
    return Response(answer.status, lists, answer.body, prepared, 0.0, False, encoding="utf-8")


def _latin(text: str | bytes) -> str:
    text = text.decode("latin-1") if isinstance(text, bytes) else text
    return text.encode("latin-1", "replace").decode("latin-1")


def broken(case: Any, answer: Response) -> list[str]:
    """What an answer does not keep to; empty where all is well."""
    if answer.status_code >= 500:
        return [f"{answer.status_code} {answer.text_lossy()[:300]}"]
    if answer.status_code >= 400:
        return _problem(answer)
    found = []
    for name in ("content_type_conformance", "response_schema_conformance", "status_code_conformance"):
        try:
            case.validate_response(answer, checks=CHECKS.get_by_names([name]))
        except Exception as error:
            found.append(f"{name}: {str(error)[:1200]}")
    return found


def _problem(answer: Response) -> list[str]:
    """RFC 9457, with our code and the id to quote."""
    media = answer.headers.get("content-type", [""])[0]
    if not media.startswith(PROBLEM):
        return [f"{answer.status_code} is {media}"]
    document = json.loads(answer.content)
    wrong = [f"no {name}" for name in MEMBERS if not document.get(name)]
    if document["status"] != answer.status_code:
        wrong.append(f"status {document['status']} in a {answer.status_code}")
    if answer.headers["x-request-id"] != [document["request_id"]]:
        wrong.append("another request id than in the header")
    return wrong


def main() -> None:
    """The lane of `make test` with more examples of each operation."""
    import pytest

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=2000, help="of each operation")
    parser.add_argument("--seed", help="repeats a run")
    given = parser.parse_args()
    os.environ["CLEANPROD_FUZZ_EXAMPLES"] = str(given.examples)
    seed = [f"--hypothesis-seed={given.seed}"] if given.seed else []
    sys.exit(pytest.main(["-q", "-rA", "-p", "no:randomly", *seed, "tests/security/hostile/test_fuzz.py"]))


if __name__ == "__main__":
    main()
