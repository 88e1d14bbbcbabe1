"""Who may be what: the place of a role, and the credit code of an organisation."""

from shared.auth import AUTHORITIES, ROLES
from shared.codes import city_of, division_known, division_name, uscc_problem
from shared.problems import Fault, Text

PROVINCE = "43"
WITH_USCC = frozenset({"enterprise", "institution", "bank", "utility"})
WITH_JURISDICTION = AUTHORITIES | {"auditor"}

_USCC_TEXTS = {
    "uscc_malformed": Text(
        "统一社会信用代码应为18位数字或大写字母(不含I, O, S, V, Z)。",
        "A unified social credit code has 18 digits or capitals (no I, O, S, V, Z).",
    ),
    "uscc_check_digit": Text(
        "统一社会信用代码的校验位不符。", "The check character of the unified social credit code does not fit."
    ),
}


def uscc_fault(pointer: str, uscc: str) -> Fault | None:
    """What is wrong with a (normalised) code by GB 32100-2015, at its place in the request."""
    problem = uscc_problem(uscc)
    return None if problem is None else Fault(pointer, problem, _USCC_TEXTS[problem], clause="GB 32100-2015")


def place_level(jurisdiction: str) -> int | None:
    """2 for the province, 4 for one of its cities, 6 for a county; None for anything else."""
    if jurisdiction == PROVINCE:
        return 2
    if len(jurisdiction) == 4 and jurisdiction.isdigit() and city_of(jurisdiction) and division_name(jurisdiction):
        return 4
    return 6 if division_known(jurisdiction) else None


def client_faults(role: str, jurisdiction: str, uscc: str) -> list[Fault]:
    """What is wrong with a client's place or code for its role."""
    if role not in ROLES:
        return [Fault("/role", "role_unknown", Text("未知的角色。", "This role is not known."))]
    faults = _jurisdiction_faults(role, jurisdiction)
    if role in WITH_USCC and not uscc:
        faults.append(_needed("/uscc"))
    elif uscc and role in WITH_JURISDICTION:
        faults.append(_not_for("/uscc"))
    elif uscc and (fault := uscc_fault("/uscc", uscc)):
        faults.append(fault)
    return faults


def _jurisdiction_faults(role: str, jurisdiction: str) -> list[Fault]:
    if not jurisdiction:
        return [_needed("/jurisdiction")] if role in WITH_JURISDICTION else []
    if role in WITH_USCC:
        return [_not_for("/jurisdiction")]
    level = place_level(jurisdiction)
    if level is None:
        text = Text("不是湖南省内的行政区划代码前缀。", "This is no division of Hunan (GB/T 2260 prefix).")
        return [Fault("/jurisdiction", "jurisdiction_unknown", text, clause="GB/T 2260")]
    wanted = {"provincial": 2, "city": 4, "county": 6}.get(role.split("_")[0], level)
    if level != wanted:
        text = Text(f"该角色的管辖范围应为 {wanted} 位代码。", f"The place of this role has {wanted} digits.")
        return [Fault("/jurisdiction", "jurisdiction_level", text)]
    return []


def _needed(pointer: str) -> Fault:
    return Fault(pointer, "required", Text("该角色必须填写此项。", "This role needs it."))


def _not_for(pointer: str) -> Fault:
    return Fault(pointer, "not_for_this_role", Text("该角色不填写此项。", "This role has none."))
