"""The sandbox's calendar: exists only where a person tries the product, never in production."""

from datetime import date
from typing import Any

from fastapi import APIRouter
from pydantic import Field

from infra.system import System
from shared.http import Body, needs
from shared.problems import Fault, Text, Unprocessable


class MoveClock(Body):
    """The day that the legal calendar shall show."""

    today: date = Field(lt=date(2100, 1, 1))


def mount(system: System) -> None:
    """Add `/sandbox/clock` to an instance."""
    router = APIRouter(prefix="/sandbox", tags=["sandbox"])

    @router.get("/clock")
    def read_clock() -> dict[str, Any]:
        """The day of the legal calendar."""
        return {"today": _today(system).isoformat()}

    @router.post("/clock", dependencies=[needs("platform:clock:write", "provincial_ecology")])
    def move_clock(body: MoveClock) -> dict[str, Any]:
        """Move the legal calendar forward; answers after the daily jobs that fall due have run."""
        _move(system, body.today)
        return {"today": _today(system).isoformat()}

    system.edge.api.include_router(router)


def _today(system: System) -> date:
    return system.contexts["audits"].clock.today()


def _move(system: System, day: date) -> None:
    today = _today(system)
    if day < today:
        text = Text(f"法定日历只能向前：今天是 {today}。", f"The legal calendar only moves forward: today is {today}.")
        raise Unprocessable("clock_moves_forward", text, faults=[Fault("/today", "clock_moves_forward", text)])
    if day > today:
        system.contexts["audits"].clock.move_to(day)
    system.daily()
