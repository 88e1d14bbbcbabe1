"""`make demo`: the journey on an instance of its own, told by what comes back over HTTP."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

from infra import fiction
from infra.audit_story import RoundStory
from infra.client import Callers, until
from infra.credentials import CLIENTS, uscc_of
from infra.fiction import Firm
from infra.ports import free_port
from infra.receiver import Received, Receiver
from services.notifications.signing import verify

START, ACCEPTED = "2026-03-10", "2026-10-12"


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="cleanprod-demo-") as folder:
        instance = Instance(Path(folder))
        receiver = Receiver().start()
        try:
            instance.start()
            Demo(Callers(instance.home / "credentials.json"), receiver).play()
        finally:
            receiver.stop()
            instance.stop()


class Instance:
    """A `make run` of the demo's own: free port, fresh home, a calendar that can be moved."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        environment = os.environ | {
            "CLEANPROD_HOME": str(self.home),
            "CLEANPROD_PORT": str(self.port),
            "CLEANPROD_SAMPLE": "none",
            "CLEANPROD_CLOCK": START,
            "CLEANPROD_WEBHOOK_ALLOW": "127.0.0.0/8",
            "CLEANPROD_ISSUER": f"http://127.0.0.1:{self.port}",
        }
        say("启动实例 / starting an instance", f"http://127.0.0.1:{self.port}  (法定日历 / calendar {START})")
        self._process = subprocess.Popen([sys.executable, "-m", "infra.embedded"], env=environment)
        until(self._ready, 90, "the instance to be ready")

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(30)

    def _ready(self) -> bool:
        import httpx

        if self._process is not None and self._process.poll() is not None:
            sys.exit("the instance ended while starting")
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/readyz", trust_env=False, timeout=5).status_code == 200
        except httpx.HTTPError:
            return False


class Demo:
    """The story: a list, an audit, an acceptance, and who hears of it."""

    def __init__(self, callers: Callers, receiver: Receiver) -> None:
        self.callers, self.receiver = callers, receiver
        self.officer, self.firm = callers["provincial_ecology"], callers["enterprise"]
        self.uscc = uscc_of("enterprise")
        self.accepted_at = 0.0

    def play(self) -> None:
        self._people_and_facts()
        round_id = self._publish_list()
        secret = self._subscribe()
        self._consent()
        self._before()
        self._audit(round_id)
        self._webhook(secret)
        self._after()
        self._tier_list()

    def _people_and_facts(self) -> None:
        smelter = {"uscc": self.uscc, "name": CLIENTS["enterprise"]["name"], "division": "430202", "industry": "3216"}
        show("登记企业 / enterprise registered", self.officer.post("/registry/v1/enterprises", smelter))
        facts = {"al_kwh_per_t": "13400", "al_production_kwh": "1200000000", "renewable_share_pct": "8", "grid_account": "0731-EX-000412"}
        facts |= {f"GF_V{n}": "absent" for n in range(1, 7)} | {"plan_in_catalogue": "true", "provincial_green_factory": "false"}
        for code, value in facts.items():
            fact = {"code": code, "value": value, "valid_from": "2025-01-01", "source": "示例核定"}
            self.officer.post(f"/registry/v1/enterprises/{self.uscc}/facts", fact)
        show("登记事实 / facts recorded", {"facts": len(facts)})
        institution = {"uscc": uscc_of("institution"), "name": CLIENTS["institution"]["name"], "division": "430104"}
        self.officer.post("/registry/v1/institutions", institution)
        self.experts = [
            self.officer.post(
                "/registry/v1/experts",
                {"name": f"示例专家{n}", "employer_uscc": uscc_of("bank"), "specialities": ["有色金属"], "advised": []},
            )["id"]
            for n in "甲乙丙"
        ]
        until(self._credit_knows, what="credit to know the firm")
        record = {"uscc": self.uscc, "evaluation_year": 2024, "grade": "蓝牌", "level": "city"}
        record |= {"published_on": "2025-06-05", "document_no": "株环示例〔2025〕1号"}
        show("发布信用等级 / credit grade", self.officer.post("/credit/v1/records", record))

    def _credit_knows(self) -> bool:
        return self.officer.request("GET", f"/credit/v1/enterprises/{self.uscc}").status_code == 200

    def _publish_list(self) -> str:
        body = {"kind": "mandatory", "year": 2026, "document_no": "湘环示例〔2026〕0号", "title": "2026年度强制性清洁生产审核名单（示例）"}
        made = self.officer.post("/audits/v1/lists", body)
        place = f"/audits/v1/lists/{made['id']}"
        others = fiction.firms(2)
        mine = Firm(self.uscc, CLIENTS["enterprise"]["name"], "430202", "3216")
        spoiled = others[1].uscc[:-1] + ("1" if others[1].uscc[-1] != "1" else "2")
        wrong = Firm(spoiled, others[1].name, others[1].division, others[1].industry)
        dry = self.officer.job(f"{place}/imports", "名单.xlsx", fiction.list_file([mine, others[0], wrong]), dry_run="true")
        show("名单试导入 / list, dry run", dry)
        rows = self.officer.get(f"/audits/v1/imports/{dry['result']['import']}/rows", severity="error")
        show("逐行错误 / errors by row", rows["items"])
        job = self.officer.job(f"{place}/imports", "名单.xlsx", fiction.list_file([mine, *others]))
        show("名单导入 / list imported", job)
        show("名单公布 / list published", self.officer.post(f"{place}/publish", {"published_on": START}))
        entries = self.officer.get(f"{place}/entries")["items"]
        round_id = str(next(e["round"] for e in entries if e["uscc"] == self.uscc))
        show("审核轮次与法定义务 / round and obligations", self.firm.get(f"/audits/v1/rounds/{round_id}"))
        return round_id

    def _subscribe(self) -> str:
        body = {"url": self.receiver.url, "types": ["audits.acceptance.recorded.v1"]}
        made = self.callers["subscriber"].post("/notifications/v1/subscriptions", body)
        place = f"/notifications/v1/subscriptions/{made['id']}"
        shown = {k: v for k, v in made.items() if k != "secret"}
        show("订阅 / subscription", shown | {"secret": made["secret"][:10] + "…"})
        show("验证 / verified", self.callers["subscriber"].post(f"{place}/verify"))
        return str(made["secret"])

    def _consent(self) -> None:
        body: dict[str, Any] = {"uscc": self.uscc, "bank": uscc_of("bank"), "purpose": "pre_loan"}
        body |= {"valid_to": "2027-02-28", "scope": ["audit", "credit", "decisions"]}
        show("企业授权银行 / consent", self.firm.post("/registry/v1/consents", body))

    def _before(self) -> None:
        status = until(self._restricted, what="the consent to arrive")
        show("验收前银行所见 / what the bank sees before", status)
        self._decision("验收前绿色工厂 / green factory before")

    def _restricted(self) -> Any:
        status = self.callers["bank"].get(f"/audits/v1/enterprises/{self.uscc}/status")
        return status if "stage" in status else None

    def _decision(self, title: str) -> dict[str, Any]:
        place = f"/incentives/v1/enterprises/{self.uscc}/decisions"
        found = self.callers["bank"].get(place, programme="green_factory.province")["items"][0]
        kept = {k: found[k] for k in ("programme", "outcome", "reasons", "missing", "rule_set") if k in found}
        show(title, kept)
        return dict(found)

    def _audit(self, round_id: str) -> None:
        show("移动法定日历 / calendar moved", self.officer.post("/sandbox/clock", {"today": ACCEPTED}))
        story = RoundStory(
            self.firm, self.callers["city_ecology_4302"], round_id, self.experts, date(2026, 3, 12), date(2026, 10, 12),
            pace=4, told=self._moved,
        )  # fmt: skip
        say("审核全过程 / the audit, move by move")
        story.disclose_and_start(uscc_of("institution"))
        story.audit()
        story.report()
        story.evaluation()
        story.implement()
        story.acceptance("株环验示例〔2026〕7号", "I")

    def _moved(self, move: str, answer: dict[str, Any]) -> None:
        line(f"  {move:22} → {answer['state']}")
        if move != "record-acceptance":
            self.accepted_at = time.monotonic()  # the moment before the officer's decision is sent

    def _webhook(self, secret: str) -> None:
        received: Received = until(lambda: self.receiver.received[:1], 20, "the webhook")[0]
        verify([secret], received.headers, received.body, now=int(time.time()))
        show("收到签名回调 / signed webhook received", received.json)
        kept = {k: v for k, v in received.headers.items() if k.startswith("webhook-")}
        show("签名已验证 / signature verified", kept)
        line(f"  验收到回调 / acceptance to webhook: {(received.at - self.accepted_at) * 1000:.0f} ms")

    def _after(self) -> None:
        show("验收后银行所见 / what the bank sees after", self._restricted())
        until(lambda: self._outcome() == "preferential", what="the decision to follow")
        found = self._decision("验收后绿色工厂 / green factory after")
        for language in ("zh", "en"):
            place = f"/incentives/v1/decisions/{found['id']}/explanation"
            told = self.callers["bank"].get(place, lang=language)
            show(f"逐条解释 / explanation ({language})", [_short(c) for c in told["conditions"]])
        replay = self.callers["auditor"].post(f"/incentives/v1/decisions/{found['id']}/replay", {"mode": "as_known_then"})
        show("重放 / replay", replay)
        log = self.firm.get(f"/registry/v1/enterprises/{self.uscc}/access-log")
        show("企业看到的访问记录 / the ledger the firm sees", log["items"][:2])

    def _outcome(self) -> str:
        place = f"/incentives/v1/enterprises/{self.uscc}/decisions"
        return str(self.callers["bank"].get(place, programme="green_factory.province")["items"][0]["outcome"])

    def _tier_list(self) -> None:
        body = {"document_no": "湘工信示例〔2026〕3号", "settlement_mode": "PROSPECTIVE", "effective_from": "2026-11-01"}
        show("发布阶梯电价清单 / tier list", self.callers["provincial_industry"].post("/incentives/v1/tier-lists/2026-11/publish", body))
        rows = self.callers["utility"].get("/incentives/v1/tier-lists/2026-11")["items"]
        show("电网公司所取 / what the grid company pulls", rows)
        line("  加价只随实测电耗，审核不改变电价 / the surcharge follows measured consumption; the audit did not move it")


def _short(condition: dict[str, Any]) -> str:
    shown = [f"{k}={condition.get(k)}" for k in ("rule", "fact", "value", "threshold", "result", "clause")]
    return " ".join(shown)


def say(title: str, text: str = "") -> None:
    line(f"\n── {title} {text}".rstrip())


def show(title: str, document: Any) -> None:
    say(title)
    text = json.dumps(document, ensure_ascii=False, indent=1)
    lines = text.splitlines()
    line("\n".join(lines[:40]) + ("\n …" if len(lines) > 40 else ""))


def line(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
