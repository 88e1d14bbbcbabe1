"""Deadlines as an iCalendar file (RFC 5545), which any calendar can read."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from services.audits import law
from services.audits.actions.deadlines import Deadline
from services.audits.models.obligations import OPEN

MEDIA_TYPE = "text/calendar; charset=utf-8"


def calendar_of(deadlines: Iterable[Deadline], stamp: datetime) -> bytes:
    """One all-day event per duty that has a day; what is provisional is tentative, what fell away or is met is not shown."""
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//cleanprod//audits//ZH",
        "CALSCALE:GREGORIAN",
        "METHOD:PUBLISH",
    ]
    lines.append("X-WR-CALNAME:清洁生产审核期限")
    for deadline in deadlines:
        if deadline.obligation.due_on is not None and deadline.obligation.status in OPEN:
            lines += _event(deadline, stamp)
    lines.append("END:VCALENDAR")
    return "".join(f"{part}\r\n" for line in lines for part in _folded(line)).encode()


def _event(deadline: Deadline, stamp: datetime) -> list[str]:
    duty = deadline.obligation
    assert duty.due_on is not None
    name = law.obligation(duty.code).name
    note = f"{name.en}\n{duty.uscc}\n{duty.legal_basis}"
    return [
        "BEGIN:VEVENT",
        f"UID:{duty.id}@audits.cleanprod",
        f"DTSTAMP:{stamp.astimezone(UTC):%Y%m%dT%H%M%SZ}",
        f"DTSTART;VALUE=DATE:{duty.due_on:%Y%m%d}",
        f"DTEND;VALUE=DATE:{duty.due_on + timedelta(days=1):%Y%m%d}",
        f"SUMMARY:{_escaped(f'{name.zh}：{deadline.name}')}",
        f"DESCRIPTION:{_escaped(note)}",
        f"CATEGORIES:{duty.code}",
        f"STATUS:{'TENTATIVE' if duty.provisional else 'CONFIRMED'}",
        "TRANSP:TRANSPARENT",
        "END:VEVENT",
    ]


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace(";", "\\;").replace(",", "\\,")


def _folded(line: str) -> Iterator[str]:
    """Lines of at most 75 octets, broken between characters, each continuation led by a space."""
    part, size = "", 0
    for letter in line:
        width = len(letter.encode())
        if size + width > 75:
            yield part
            part, size = " ", 1
        part, size = part + letter, size + width
    yield part
