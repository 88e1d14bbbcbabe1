"""I9: nobody saw more than their place, their organisation or their consents allow, whatever was going on."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from shared.events import CATALOGUE, Audience
from tests.fault.lab.history import History, Seen
from tests.fault.lab.snapshot import Snapshot

RESTRICTED = ("stage", "obligations", "overdue")


@dataclass(frozen=True)
class Register:
    """Where every firm is, and which firms ever consented to which bank."""

    divisions: Mapping[str, set[str]]
    consents: set[tuple[str, str]]

    @classmethod
    def of(cls, snapshot: Snapshot) -> "Register":
        versions = snapshot.by("registry", "enterprise_version", "uscc")
        divisions = {uscc: {str(row["division"]) for row in rows} for uscc, rows in versions.items()}
        return cls(divisions, {(r["uscc"], r["bank"]) for r in snapshot.rows("registry", "consent")})

    def within(self, uscc: str, place: str) -> bool:
        """Whether a firm is, or once was, in a place; one that is not registered yet is judged by what was shown."""
        known = self.divisions.get(uscc, set())
        return not known or any(division.startswith(place) for division in known)


def nothing_leaked(snapshot: Snapshot, history: History, identities: Mapping[str, Mapping[str, str]]) -> list[str]:
    """I9. `identities` are the callers' roles, places and organisations."""
    register = Register.of(snapshot)
    return [
        f"{seen.client} saw {complaint} at {seen.path}"
        for seen in history.seen
        if seen.document is not None
        for complaint in _seen_too_much(seen, identities[seen.client], register)
    ]


def _seen_too_much(seen: Seen, who: Mapping[str, str], register: Register) -> Iterator[str]:
    role, place, uscc = who["role"], who.get("jurisdiction", ""), who.get("uscc", "")
    if found := re.fullmatch(r"/audits/v1/enterprises/(\w+)/status", seen.path):
        restricted = seen.status == 200 and any(name in seen.document for name in RESTRICTED)
        if restricted and not _entitled(found[1], role, place, uscc, register):
            yield f"the stage of {found[1]}"
    elif found := re.fullmatch(r"/incentives/v1/enterprises/(\w+)/decisions", seen.path):
        items = seen.document.get("items", []) if seen.status == 200 else []
        if items and not _entitled(found[1], role, place, uscc, register):
            yield f"decisions of {found[1]}"
    elif seen.path.startswith("/notifications/v1/events"):
        yield from (
            f"event {e['id']} ({e['type']})" for e in seen.document.get("events", []) if not _may_hear(e, who, register)
        )
    elif role.startswith(("city_", "county_")) and seen.status == 200:
        yield from (f"a row of {d}" for d in _divisions(seen.document) if not d.startswith(place))
    elif role == "enterprise" and seen.status == 200:
        yield from (f"a row of {u}" for u in _values(seen.document, "uscc") if u != uscc)


def _entitled(firm: str, role: str, place: str, uscc: str, register: Register) -> bool:
    if role == "bank":
        return (firm, uscc) in register.consents
    if role == "enterprise":
        return firm == uscc
    return bool(place) and register.within(firm, place)


def _may_hear(event: Any, who: Mapping[str, str], register: Register) -> bool:
    audience, data = CATALOGUE[event["type"]].audience, event["data"]
    if audience is Audience.PUBLIC:
        return True
    firm, role = str(data.get("uscc", "")), who["role"]
    if audience is Audience.UTILITY:
        return role == "utility" or bool(who.get("jurisdiction"))
    if audience is Audience.CONSENT and role == "bank":
        return bool(data.get("bank") == who.get("uscc"))
    if role == "subscriber" or audience is Audience.INTERNAL:
        return False
    if role == "utility":
        return audience is Audience.DECISION and str(data.get("programme", "")).startswith("tariff.")
    if role == "bank" and str(data.get("programme", "")).startswith("tariff."):
        return False
    return _entitled(firm, role, who.get("jurisdiction", ""), who.get("uscc", ""), register)


def _divisions(document: Any) -> Iterator[str]:
    yield from (value for value in _values(document, "division") if value)


def _values(document: Any, name: str) -> Iterator[str]:
    if isinstance(document, dict):
        if isinstance(document.get(name), str):
            yield document[name]
        for value in document.values():
            yield from _values(value, name)
    elif isinstance(document, list):
        for value in document:
            yield from _values(value, name)
