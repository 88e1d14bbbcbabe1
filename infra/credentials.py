"""The clients of an instance: made once, written to `credentials.json` for the person who started it."""

import json
import os

from infra.home import Home
from infra.system import System
from services.registry.actions.clients import NewClient, provide_client
from services.registry.actions.secrets import pepper_of
from shared.codes import make_uscc

CLIENTS: dict[str, dict[str, str]] = {
    "provincial_ecology": {"role": "provincial_ecology", "jurisdiction": "43", "name": "湖南省生态环境厅（示例）"},
    "provincial_industry": {
        "role": "provincial_industry",
        "jurisdiction": "43",
        "name": "湖南省工业和信息化厅（示例）",
    },
    "city_ecology_4302": {"role": "city_ecology", "jurisdiction": "4302", "name": "株洲市生态环境局（示例）"},
    "city_industry_4302": {"role": "city_industry", "jurisdiction": "4302", "name": "株洲市工业和信息化局（示例）"},
    "city_ecology_4306": {"role": "city_ecology", "jurisdiction": "4306", "name": "岳阳市生态环境局（示例）"},
    "enterprise": {"role": "enterprise", "uscc": "430200", "name": "株洲示例冶炼有限公司"},
    "institution": {"role": "institution", "uscc": "430100", "name": "麓山示例清洁生产技术服务公司"},
    "bank": {"role": "bank", "uscc": "430100", "name": "湘江示例银行"},
    "utility": {"role": "utility", "uscc": "430100", "name": "洞庭示例电网公司"},
    "subscriber": {"role": "subscriber", "name": "示例订阅方"},
    "auditor": {"role": "auditor", "jurisdiction": "43", "name": "湖南省审计（示例）"},
}
SERIALS = {"enterprise": 900_001, "institution": 900_002, "bank": 900_003, "utility": 900_004}


def uscc_of(client: str) -> str:
    """The fictional USCC of one of the clients, both check digits right."""
    return make_uscc(SERIALS[client], division=CLIENTS[client]["uscc"])


def provide(home: Home, system: System) -> None:
    """Make the clients on first start; their secrets are written once, readable by the owner alone."""
    if home.credentials.exists():
        return
    pepper = pepper_of(system.settings)
    made: dict[str, dict[str, str]] = {}
    with system.contexts["registry"].db.begin() as tx:
        for key, given in CLIENTS.items():
            place = {name: given[name] for name in ("jurisdiction",) if name in given}
            place |= {"uscc": uscc_of(key)} if key in SERIALS else {}
            new = NewClient(given["role"], given["name"], **place)
            client_id, secret = provide_client(tx, pepper, new, made_by="start")
            made[key] = {"client_id": client_id, "client_secret": secret, "role": new.role, "name": new.name, **place}
    _write(home, made, system.settings.issuer)


def _write(home: Home, clients: dict[str, dict[str, str]], issuer: str) -> None:
    fresh = home.credentials.with_suffix(".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump({"issuer": issuer, "clients": clients}, file, ensure_ascii=False, indent=2)
    fresh.replace(home.credentials)
