"""A caller of the product over HTTP: what the demo, the sample and the end-to-end tests speak with."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

Answer = httpx.Response
Heard = Callable[[Answer], None]


class Refused(Exception):
    """An answer that the caller did not expect; says which call, and what came back."""

    def __init__(self, call: str, answer: Answer) -> None:
        super().__init__(f"{call}: {answer.status_code} {answer.text[:2000]}")
        self.answer = answer


class Caller:
    """One client of the product: signs in, repeats nothing, sends a fresh idempotency key with every POST.

    `heard` is told of every answer before its body is read.
    """

    def __init__(self, base: str, client_id: str, client_secret: str, heard: Heard | None = None) -> None:
        self.base, self._identity = base, (client_id, client_secret)
        self._http = stranger(base, heard)
        self._token, self._until = "", 0.0

    def token(self) -> str:
        """The access token, renewed before it ends."""
        if time.monotonic() > self._until:
            form = {"grant_type": "client_credentials"}
            answer = self._http.post("/registry/v1/oauth/token", data=form, auth=self._identity)
            if answer.status_code != 200:
                raise Refused("POST /registry/v1/oauth/token", answer)
            self._token, self._until = answer.json()["access_token"], time.monotonic() + answer.json()["expires_in"] - 60
        return self._token

    def request(self, method: str, path: str, **options: Any) -> Answer:
        """Send and return whatever comes back."""
        headers = {"Authorization": f"Bearer {self.token()}"}
        if method == "POST":
            headers["Idempotency-Key"] = uuid4().hex
        headers |= options.pop("headers", None) or {}
        return self._http.request(method, path, headers={k: v for k, v in headers.items() if v}, **options)

    def get(self, path: str, **query: Any) -> Any:
        """The JSON of a successful GET."""
        return self._good("GET", path, params={k: v for k, v in query.items() if v is not None})

    def post(self, path: str, body: Any = None, **options: Any) -> Any:
        """The JSON of a successful POST."""
        return self._good("POST", path, json=body, **options)

    def patch(self, path: str, body: Any, version: int) -> Any:
        return self._good("PATCH", path, json=body, headers={"If-Match": f'"{version}"'})

    def move(self, round_id: str, move: str, **body: Any) -> Any:
        """A move of a round with its current version; the round as it is then."""
        version = self.get(f"/audits/v1/rounds/{round_id}")["version"]
        return self._good(
            "POST", f"/audits/v1/rounds/{round_id}/{move}", json=body, headers={"If-Match": f'"{version}"'}
        )

    def upload(self, path: str, name: str, content: bytes, **form: str) -> Any:
        """The JSON of a successful multipart POST with one file."""
        return self._good("POST", path, data=form, files={"file": (name, content)})

    def job(self, path: str, name: str, content: bytes, **form: str) -> Any:
        """Hand in a file and follow its job to the end; the job as it ended."""
        return self.follow(path, name, content, form, lambda done, total: None)

    def follow(self, path: str, name: str, content: bytes, form: dict[str, str], tell: Callable[[int, int], None]) -> Any:
        """As `job`, telling rows done of rows total on the way."""
        answer = self.request("POST", path, data=form, files={"file": (name, content)})
        if answer.status_code != 202:
            raise Refused(f"POST {path}", answer)
        place = answer.headers["Location"]
        while True:
            job = self.get(place)
            if job["rows_total"]:
                tell(job["rows_done"], job["rows_total"])
            if job["state"] in ("succeeded", "failed"):
                return job
            time.sleep(0.1)

    def _good(self, method: str, path: str, **options: Any) -> Any:
        answer = self.request(method, path, **options)
        if not answer.is_success:
            raise Refused(f"{method} {path}", answer)
        return answer.json() if answer.content else None


class Callers:
    """The clients of an instance's `credentials.json`, and those made on the way."""

    def __init__(self, credentials: Path, heard: Heard | None = None) -> None:
        given = json.loads(credentials.read_text(encoding="utf-8"))
        self.base: str = given["issuer"]
        self.given: dict[str, dict[str, str]] = given["clients"]
        self._known: dict[str, Caller] = {}
        self._heard = heard

    def __getitem__(self, name: str) -> Caller:
        if name not in self._known:
            client = self.given[name]
            self._known[name] = Caller(self.base, client["client_id"], client["client_secret"], self._heard)
        return self._known[name]

    def made(self, role: str, name: str, **place: str) -> Caller:
        """A new client of a role, made by the province."""
        made = self["provincial_ecology"].post("/registry/v1/clients", {"role": role, "name": name, **place})
        return Caller(self.base, made["client_id"], made["client_secret"], self._heard)


def stranger(base: str, heard: Heard | None = None) -> httpx.Client:
    """Somebody who has not signed in."""
    hooks = {"response": [heard] if heard else []}
    return httpx.Client(base_url=base, timeout=60, trust_env=False, event_hooks=hooks)


def until(found: Callable[[], Any], seconds: float = 30, what: str = "it") -> Any:
    """Ask again until there is something to return; raises TimeoutError naming what was waited for."""
    end = time.monotonic() + seconds
    while True:
        value = found()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError(f"waited {seconds:.0f} s for {what}")
        time.sleep(0.02)
