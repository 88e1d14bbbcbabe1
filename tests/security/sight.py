"""Who may see what, as the public contract says it; everything else is another's, and looks like nothing at all."""

from shared.auth import AUTHORITIES, Caller
from tests.security.operations import Operation, operations
from tests.security.world import Side

PLACE, PARTIES = ("authority", "auditor"), ("authority", "auditor", "enterprise", "institution")

# A kind of id (the name of a path parameter), who may see such a thing of a side, and where the contract says so.
MAY_SEE: dict[str, tuple[tuple[str, ...], str]] = {
    "round_id": (PARTIES, "rounds: authorities, the enterprise, its institution; an auditor reads as an authority"),
    "measure_id": (PARTIES, "a measure is part of its round"),
    "code": (PARTIES, "an obligation is part of its round"),
    "file_id": (PARTIES, "files: the parties of the round"),
    "entry_id": (PLACE, "entries: authorities"),
    "list_id": (("any authority", "any auditor"), "lists are the province's; their entries are not"),
    "uscc": ((*PLACE, "enterprise"), "an enterprise: its authorities, auditors, itself"),
    "decision_id": ((*PLACE, "enterprise", "bank"), "decisions: authorities, enterprise, bank with consent, auditor"),
    "price": ((*PLACE, "enterprise", "utility"), "decisions of price programmes: the utility, and no bank"),
    "consent_id": (("enterprise", "bank"), "a consent is between its two parties"),
    "client_id": (("province",), "clients are the province's"),
    "period": (("any authority", "any auditor", "utility"), "tier lists: utility, authorities"),
    "job_id": (("owner",), "a job is for who handed the file in"),
    "import_id": (("owner",), "what is wrong with a file is for who handed it in"),
    "subscription_id": (("owner",), "subscriptions: the owner"),
    "delivery_id": (("owner",), "deliveries: the owner of the subscription"),
}

# Routes with another circle than their id has by itself.
ROUTES: dict[str, tuple[tuple[str, ...], str]] = {
    "GET /incentives/v1/enterprises/{uscc}/decisions": (
        (*PLACE, "enterprise", "bank", "utility"),
        "authorities, enterprise, bank with consent, utility (price programmes)",
    ),
    "GET /audits/v1/enterprises/{uscc}/status": (
        (*PLACE, "enterprise", "bank"),
        "the whole: authorities, the enterprise, a bank with consent",
    ),
}

# That an enterprise exists is public (it can be read by all), so whose business it never is may be told `forbidden`.
EXISTS_FOR_ALL = frozenset({"institution", "bank", "utility", "expert", "park", "subscriber", "public"})

# What shows everybody a public part of everybody's things: a stranger gets what the role `public` gets.
PUBLIC: dict[str, str] = {
    "GET /registry/v1/enterprises/{uscc}": "all (field set by role)",
    "GET /audits/v1/enterprises/{uscc}/status": "public part; to a bank without consent `consent_required`",
    "GET /credit/v1/enterprises/{uscc}": "grades are public, inputs are not",
}

# Names in paths that are nobody's: kinds of templates, published rule sets.
NOBODYS = {"kind", "rule_set_id", "version"}


def relations(caller: Caller | None, side: Side, service: str) -> set[str]:
    """What a caller is to a side."""
    if caller is None:
        return set()
    covers = bool(caller.jurisdiction) and side.firm.division.startswith(caller.jurisdiction)
    return {
        name
        for name, holds in {
            "authority": caller.role in AUTHORITIES and covers,
            "auditor": caller.role == "auditor" and covers,
            "any authority": caller.role in AUTHORITIES,
            "any auditor": caller.role == "auditor",
            "province": caller.role in ("provincial_ecology", "provincial_industry"),
            "enterprise": caller.role == "enterprise" and caller.uscc == side.firm.uscc,
            "institution": caller.role == "institution" and caller.uscc == side.institution,
            "bank": caller.role == "bank" and caller.uscc == side.bank,
            "utility": caller.role == "utility",
            "owner": caller.name == side.owners.get(service),
        }.items()
        if holds
    }


def ids_of(operation: Operation) -> list[str]:
    """The names in the path that stand for somebody's things; a kind that is not known here fails."""
    names = [name for name in operation.names("path") if name not in NOBODYS]
    assert set(names) <= set(MAY_SEE), f"say in MAY_SEE who may see a {set(names) - set(MAY_SEE)}"
    return names


def may_see(caller: Caller | None, side: Side, operation: Operation) -> bool:
    """Whether the contract lets a caller see the thing of a side that an operation names."""
    found = relations(caller, side, operation.service)
    circles = [MAY_SEE[name][0] for name in ids_of(operation)]
    if str(operation) in ROUTES:
        circles = [ROUTES[str(operation)][0]]
    return all(found & set(circle) for circle in circles)


def addressed() -> list[Operation]:
    """The operations with somebody's id in their path."""
    return [operation for operation in operations() if ids_of(operation)]


def thing(side: Side, operation: Operation) -> dict[str, str]:
    """The ids of a side's things for an operation; imports and jobs are of the service asked."""
    return {name: side.ids.get(f"{operation.service}/{name}", side.ids.get(name, "")) for name in ids_of(operation)}
