"""Generated bodies made plausible, so that they get past the first check, and then wrong in one place."""

from typing import Any

from hypothesis import strategies as st

from shared.codes import make_uscc
from tests.rounds import ACCEPTED, FULL
from tests.security.hostile.stock import BANK, INSTITUTION, PLACES, Stock, scopes_of

DAYS = ("2026-03-12", "2026-10-01", "2026-11-20")
FRESH = [make_uscc(n, division="430200") for n in range(2_000, 2_400)]
# What a field may hold that a type check alone does not keep out.
ODD: tuple[Any, ...] = (
    None, True, -1, 0, 10**30, 1e308, -0.0, "", " ", "x" * 9_999, "x" * 100_001, "\x00", "a\x00b", "\ud800", "\u202e", "NaN",
    "Infinity", "-1", "1e999", "1e-999", "1_000", "１２", "٣", "0001-01-01", "9999-12-31", "2026-02-30", "2026-11-20T24:00:00Z",
    "2100-01-01", "00000000-0000-0000-0000-000000000000", "[]", [], {}, [[]], [None], {"": ""}, {"a": {"b": [1]}}, ["x"] * 600,
    "'; DROP TABLE x; --", "../../etc/passwd", "%00", "%", "_", "\\", "\n", "中" * 200, {"$ref": "#"}, "🏭" * 50,
)  # fmt: skip
DEEP: Any = "x"
for _ in range(60):
    DEEP = [DEEP]


def known_values(stock: Stock) -> dict[str, list[Any]]:
    """Values that mean something, by the name of the field that takes them."""
    ids, days = stock.ids, list(DAYS)
    files = dict.fromkeys(("report", "contract", "ability_proof", "acceptance_report", "file"), ids["file_id"])
    files |= dict.fromkeys(("monitoring_before", "monitoring_after"), ids["file_id"])
    return files | {
        "uscc": [*ids["uscc"], *FRESH],
        "employer_uscc": ids["uscc"],
        "bank": [BANK],
        "institution": [INSTITUTION],
        "expert": ids["expert"],
        "panel": [ids["expert"]],
        "division": ["430204", "430202"],
        "industry": ["3360", "3216"],
        "permit_no": [None],
        "published_on": days, "decided_on": days, "accepted_on": days, "applied_on": days, "done_on": days,
        "submitted_on": days, "completed_on": days, "started_on": days, "disclosed_on": days, "begun_on": days,
        "due_on": ["2026-12-01"], "valid_from": ["2025-01-01"], "valid_to": ["2026-12-31", None], "as_of": days,
        "effective_from": ["2026-12-01"], "until": ["2027-01-01"],
        "year": [2026], "evaluation_year": [2025], "grade": ["蓝牌", "绿牌"], "document_no": ["湘环〔2026〕1号"],
        "code": ["al_kwh_per_t", "GF_V1", "env_event", "grid_account", "plan_in_catalogue"],
        "value": ["13481", "present", "absent", True, "1e5", "true"],
        "programme": ["tariff.al", "green_factory.province", "green_factory.national", "finance.recommend"],
        "facts": [{"industry": "3216", "price_year": 2026, "data_year": 2025, "al_kwh_per_t": "13481"}],
        "index_system": ["ELECTROPLATING_2015_T1", None], "params": [{"metals": ["e06", "e08"]}, {}], "indicators": [{"e05": "20", "e01": "II"}, {}],
        "scores": [ACCEPTED, FULL], "vetoes": [[]], "level": ["II", "province", "NO_INDEX_SYSTEM"],
        "role": ["subscriber", "bank", "city_ecology"], "jurisdiction": ["4302", None], "client_id": ids["client_id"],
        "types": [["*"], ["audits.*"]], "url": ["https://receiver.example.org/events", "https://10.0.0.1/"],
        "fee_charged_to_enterprise": ["0"], "cost_cny": ["20000"], "name": ["示例"], "reason": ["核实有误"],
    }  # fmt: skip


def sensible(draw: st.DrawFn, body: Any, known: dict[str, list[Any]]) -> Any:
    """The body with most of its known fields given a value that means something."""
    if isinstance(body, dict):
        return {
            name: draw(st.sampled_from(known[name]))
            if name in known and draw(st.integers(0, 5))
            else sensible(draw, value, known)
            for name, value in body.items()
        }
    return [sensible(draw, item, known) for item in body] if isinstance(body, list) else body


def wrong_somewhere(draw: st.DrawFn, body: Any) -> Any:
    """The body with one value, at whatever depth, replaced by an odd one."""
    if isinstance(body, dict) and body:
        name = draw(st.sampled_from(sorted(body)))
        return body | {name: wrong_somewhere(draw, body[name])}
    if isinstance(body, list) and body and draw(st.booleans()):
        return [wrong_somewhere(draw, body[0]), *body[1:]]
    return draw(st.sampled_from((*ODD, DEEP)))


def able_roles(operation: Any) -> list[str]:
    """The roles whose tokens open an operation."""
    wanted = operation.definition.raw.get("x-required-scope") or []
    able = [role for role in PLACES if set(wanted) <= scopes_of(role)]
    if "/rounds/{round_id}" in operation.path and operation.method.upper() != "GET":
        able = [role for role in able if role in ("city_ecology", "enterprise", "provincial_ecology", "institution")]
    return able or list(PLACES)
