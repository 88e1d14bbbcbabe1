"""A polite caller: tries again with the same key while it does not know, and tells the history everything."""

import itertools
import threading
import time
from collections.abc import Callable, Collection
from typing import Any
from urllib.parse import urlencode

import httpx

from infra.client import Refused
from tests.fault.lab.history import History, Operation, Seen

PATIENCE = 150.0
SLOW = 12.0
NOT_YET = frozenset({404, 409, 422})


class GaveUp(Exception):
    """No answer for as long as a caller would wait."""


class LabCaller:
    """One client of the product, with the methods of `infra.client.Caller`."""

    def __init__(self, name: str, identity: dict[str, str], where: Callable[[str], str], history: History) -> None:
        self.name, self.identity, self.history = name, identity, history
        self._where = where
        self._http = httpx.Client(timeout=SLOW, trust_env=False)
        self._token, self._until = "", 0.0
        self.signing_in = threading.Lock()
        self._numbers = itertools.count(1)
        self.stopped = threading.Event()

    def get(self, path: str, **query: Any) -> Any:
        """The JSON of a successful GET; what was seen is kept."""
        return self.look(f"{path}?{urlencode(query)}" if query else path, {200})

    def look(self, path: str, expected: Collection[int] = (200, 404)) -> Any:
        """A GET whose answer is kept for the checker; None for a 404."""
        answer = self._insist(lambda: self._send("GET", path))
        document = answer.json() if "json" in answer.headers.get("content-type", "") else None
        self.history.read(Seen(self.name, path, answer.status_code, document))
        if answer.status_code not in expected:
            raise Refused(f"GET {path} by {self.name}", answer)
        return document if answer.is_success else None

    def post(self, path: str, body: Any = None, *, eventually: bool = False) -> Any:
        """One creating POST; with `eventually`, a refusal may mean that an event is still on its way."""
        return self.do(self._operation("POST", path, json=body), eventually)

    def patch(self, path: str, body: Any, version: int) -> Any:
        """A change by version: a stale version after a lost answer may be our own change."""
        operation = self._operation("PATCH", path, json=body, if_match=f'"{version}"')
        try:
            return self.do(operation)
        except Refused as refused:
            if refused.answer.status_code != 412 or not operation.lost:
                raise
            found = self.get(path)
            if any(found.get(name) != value for name, value in body.items() if name in found):
                raise
            self.history.ok(operation, 200, b"")
            return found

    def move(self, round_id: str, move: str, **body: Any) -> Any:
        version = self.get(f"/audits/v1/rounds/{round_id}")["version"]
        path = f"/audits/v1/rounds/{round_id}/{move}"
        return self.do(self._operation("POST", path, json=body, if_match=f'"{version}"'))

    def upload(self, path: str, name: str, content: bytes, **form: str) -> Any:
        return self.do(self._operation("POST", path, form=form, file=(name, content)))

    def job(self, path: str, name: str, content: bytes, **form: str) -> Any:
        """Hand in a file and follow its job to the end."""
        place = self.perform(self._operation("POST", path, form=form, file=(name, content))).headers["Location"]
        end = time.monotonic() + PATIENCE
        while (found := self.get(place))["state"] not in ("succeeded", "failed"):
            if self.stopped.wait(0.1) or time.monotonic() > end:
                raise GaveUp(f"{place} is still {found['state']}")
        return found

    def do(self, operation: Operation, eventually: bool = False) -> Any:
        """The JSON of `perform`."""
        answer = self.perform(operation, eventually)
        return answer.json() if answer.content else None

    def perform(self, operation: Operation, eventually: bool = False) -> httpx.Response:
        """The answer of a change that was made; `Refused` where it was not, `GaveUp` where nobody knows."""
        self.history.wait_for_turn(self.stopped)
        answer = self._insist(lambda: self._try(operation), NOT_YET if eventually else frozenset())
        if answer.is_success:
            self.history.ok(operation, answer.status_code, answer.content)
            return answer
        self.history.fail(operation, answer.status_code, answer.content)
        raise Refused(f"{operation.method} {operation.path} by {self.name} (op {operation.key})", answer)

    def repeat(self, operation: Operation) -> httpx.Response:
        """The same request once more, outside of the history."""
        return self._insist(lambda: self._send(operation.method, operation.path, **operation.options()))

    def _operation(self, method: str, path: str, **content: Any) -> Operation:
        return Operation(f"{self.name}-{next(self._numbers)}", self.name, method, path, **content)

    def _try(self, operation: Operation) -> httpx.Response:
        self.history.invoke(operation)
        try:
            answer = self._send(operation.method, operation.path, **operation.options())
        except httpx.TransportError as error:
            self.history.unknown(operation, repr(error)[:200])
            raise
        if answer.status_code >= 500:
            self.history.unknown(operation, f"{answer.status_code} {answer.text[:300]}")
        return answer

    def _insist(self, ask: Callable[[], httpx.Response], not_yet: Collection[int] = ()) -> httpx.Response:
        end, pause = time.monotonic() + PATIENCE, 0.1
        while True:
            answer = None
            try:
                answer = ask()
                if answer.status_code < 500 and answer.status_code != 429 and answer.status_code not in not_yet:
                    return answer
            except httpx.TransportError:
                self._token = self._token if self._until > time.monotonic() else ""
            if time.monotonic() > end or self.stopped.wait(pause):
                if answer is not None and answer.status_code < 500:
                    return answer
                raise GaveUp(f"{self.name}: {answer.status_code if answer is not None else 'no answer'}")
            pause = min(1.0, pause * 1.6)

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self._bearer()}"} | options.pop("headers", {})
        return self._http.request(method, self._where(path) + path, headers=headers, **options)

    def _bearer(self) -> str:
        with self.signing_in:
            if time.monotonic() > self._until:
                path = "/registry/v1/oauth/token"
                pair = (self.identity["client_id"], self.identity["client_secret"])
                answer = self._http.post(self._where(path) + path, data={"grant_type": "client_credentials"}, auth=pair)
                if answer.status_code >= 500:
                    raise httpx.RemoteProtocolError(f"sign-in: {answer.status_code}")
                if answer.status_code != 200:
                    raise Refused(f"sign-in of {self.name}", answer)
                self._token = answer.json()["access_token"]
                self._until = time.monotonic() + answer.json()["expires_in"] - 60
            return self._token


__all__ = ["PATIENCE", "GaveUp", "LabCaller", "Refused"]
