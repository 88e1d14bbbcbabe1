"""What the chapters of the journey share: the firms, the callers, what was made on the way."""

import random
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx

from infra.audit_story import RoundStory
from infra.client import Caller, Callers, stranger
from infra.credentials import uscc_of
from infra.fiction import Firm
from infra.receiver import Receiver
from shared.codes import county_codes, make_uscc
from tests.e2e.walk import Walk

TOKEN = "/registry/v1/oauth/token"
NOBODY = "00000000-0000-4000-8000-000000000000"
Asks = Caller | httpx.Client  # signed in, or as the test says


class World:
    """A random province: its firms, its first day, and who plays a part in it."""

    def __init__(self, credentials: Path, walk: Walk, receiver: Receiver, start: date, chance: random.Random) -> None:
        self.walk, self.receiver, self.start, self.chance = walk, receiver, start, chance
        self.callers = Callers(credentials, walk.heard)
        self.stranger = stranger(self.callers.base, walk.heard)
        self.province, self.bank, self.enterprise = (
            self.callers[name] for name in ("provincial_ecology", "bank", "enterprise")
        )
        self.city, self.other_city = self.callers["city_ecology_4302"], self.callers["city_ecology_4306"]
        self.auditor, self.subscriber = self.callers["auditor"], self.callers["subscriber"]
        self.industry, self.utility = self.callers["provincial_industry"], self.callers["utility"]
        number = chance.randrange(20_000)
        zhuzhou = [c for c in county_codes() if c.startswith("4302")]
        self.firm = Firm(uscc_of("enterprise"), f"株洲示例铝业{number}有限公司", chance.choice(zhuzhou), "3216")
        self.other = Firm(make_uscc(number, division="430600"), f"岳阳示例化工{number}有限公司", "430603", "2611")
        self.newcomer, self.slow, self.willing, self.closing, self.erring = (
            Firm(make_uscc(number + n, division="430200"), f"株洲示例{word}{number}有限公司", chance.choice(zhuzhou), trade)
            for n, (word, trade) in enumerate(
                (("新厂", "3212"), ("锌业", "3212"), ("硬质合金", "3231"), ("化工", "2611"), ("再生铝", "3216")), 1
            )
        )
        self.unknown = Firm(make_uscc(number + 9, division="430300"), "湘潭示例无名有限公司", "430302", "2611")
        self.account = f"0731-{number:05d}"
        self.experts: list[str] = []
        self.list_id = self.round_id = self.subscription = self.secret = self.consent_id = ""
        self.story: RoundStory | None = None
        self.doubted: set[str] = set()

    def day(self, after: int) -> date:
        return self.start + timedelta(days=after)

    @property
    def today(self) -> date:
        """The day of the instance's legal calendar."""
        return date.fromisoformat(self.province.get("/sandbox/clock")["today"])

    def owner(self, firm: Firm) -> Caller:
        """A client of a firm, made by the province."""
        return self.callers.made("enterprise", firm.name, uscc=firm.uscc)

    def narrow(self, name: str, scope: str = "registry:enterprises:read") -> httpx.Client:
        """A client of the credentials whose token opens one kind of thing only."""
        given = self.callers.given[name]
        form = {"grant_type": "client_credentials", "scope": scope}
        answer = self.stranger.post(TOKEN, data=form, auth=(given["client_id"], given["client_secret"]))
        assert answer.status_code == 200 and answer.json()["scope"] == scope, answer.text
        signed = stranger(self.callers.base, self.walk.heard)
        signed.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        return signed

    def refused(self, caller: Asks, status: int, code: str, method: str, path: str, **options: Any) -> dict[str, Any]:
        """The call is refused with this status and code, as a problem document."""
        answer = caller.request(method, path, **options)
        assert answer.status_code == status, (method, path, answer.status_code, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
        problem: dict[str, Any] = answer.json()
        assert problem["status"] == status and problem["request_id"] == answer.headers["x-request-id"]
        assert {"type", "title", "detail", "instance"} <= set(problem), problem
        codes = [problem["code"], *(e["code"] for e in problem.get("errors", []))]
        assert code in codes, problem
        assert all({"pointer", "message"} <= set(e) for e in problem.get("errors", [])), problem
        self.walk.refused(answer, code)
        return problem

    def missing(self, caller: Asks, *calls: str) -> None:
        """Each call ("GET /path") names something that is not there, or not the caller's to see: 404, before all else."""
        for call in calls:
            method, path = call.split(" ")
            self.refused(caller, 404, "not_found", method, path)

    def forbidden(self, caller: Asks, *calls: str) -> None:
        """Each call is not for the caller's role or scope: 403, before the body is looked at."""
        for call in calls:
            method, path = call.split(" ")
            self.refused(caller, 403, "forbidden", method, path)
