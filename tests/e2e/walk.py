"""Which calls of the interface a journey made, and which of them it saw refused."""

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from infra.client import Answer

# What OpenAPI does not list: health and documents (they answer anybody, so nothing of them can be refused).
DOCUMENTS = ("/", "/livez", "/readyz", "/metrics", "/docs", "/openapi.json", "/asyncapi.json")
PAGES = ("/docs/{name}", "/problems/{code}")
OTHER_ZONE = re.compile(r'"\w+": ?"\d{4}-\d\d-\d\dT[\d:.]+(?!\+08:00)[Z+-][\d:]*"')
# A missing token, a wrong shape and a full house may meet every call; these may meet only some.
TELLING = {"400", "403", "404", "409", "412", "428"}


@dataclass(frozen=True, order=True)
class Operation:
    """A method and a path as the OpenAPI document writes it."""

    method: str
    path: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def shape(self) -> re.Pattern[str]:
        parts = re.split(r"\{[^}]+\}", self.path)
        return re.compile("[^/]+".join(re.escape(part) for part in parts))


@dataclass
class Walk:
    """The calls of a journey by their operation in the instance's own OpenAPI document."""

    document: dict[str, Any]
    successes: Counter[Operation] = field(default_factory=Counter)
    refusals: dict[Operation, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    strays: Counter[str] = field(default_factory=Counter)
    other_zones: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        listed = {Operation(m.upper(), p): d for p, methods in self.document["paths"].items() for m, d in methods.items()}
        self.refusable = {o for o, d in listed.items() if TELLING & set(d["responses"])}
        self.operations = {*listed, *(Operation("GET", path) for path in (*DOCUMENTS, *PAGES))}
        # The most literal path first: `deadlines.ics` before `{id}`.
        order = sorted(self.operations, key=lambda o: (o.path.count("{"), o))
        self._shapes = [(o, o.shape) for o in order]

    def heard(self, answer: Answer) -> None:
        """Count a call that was answered."""
        operation = self.of(answer)
        if operation is not None and answer.is_success:
            self.successes[operation] += 1
            if operation.path not in DOCUMENTS:
                self.other_zones.update(f"{operation}: {said}" for said in OTHER_ZONE.findall(_json(answer)))
        elif operation is None and answer.status_code != 404:
            self.strays[f"{answer.request.method} {answer.request.url.path}: {answer.status_code}"] += 1

    def refused(self, answer: Answer, code: str) -> None:
        """Count a refusal whose problem document was looked at."""
        operation = self.of(answer)
        if operation is not None:
            self.refusals[operation][code] += 1

    def of(self, answer: Answer) -> Operation | None:
        """The operation of a call; None where the document lists none."""
        method, path = answer.request.method, answer.request.url.path
        return next((o for o, shape in self._shapes if o.method == method and shape.fullmatch(path)), None)

    def not_walked(self) -> list[str]:
        return [str(o) for o in sorted(self.operations - set(self.successes))]

    def never_refused(self) -> list[str]:
        """Operations that may refuse and were never seen to for any other reason than a missing token."""
        told = {o for o, codes in self.refusals.items() if set(codes) - {"token_missing"}}
        return [str(o) for o in sorted(self.refusable - told)]

    def __str__(self) -> str:
        codes = Counter[str]()
        for counted in self.refusals.values():
            codes.update(counted)
        return (
            f"{len(self.successes)} of {len(self.operations)} operations walked in {sum(self.successes.values())} calls; "
            f"{len(self.refusable) - len(self.never_refused())} of {len(self.refusable)} refused, "
            f"{codes.total()} refusals with {len(codes)} codes"
        )


def _json(answer: Answer) -> str:
    return answer.read().decode() if "json" in answer.headers.get("content-type", "") else ""
