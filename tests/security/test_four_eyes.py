"""Who proposes does not approve: on a round, no role that makes a party's move makes an authority's, whoever the caller."""

import pytest

from services.audits.models.rounds import MOVES
from shared.auth import AUTHORITIES
from tests.rounds import put_in_state
from tests.security.conftest import Sizes
from tests.security.operations import Operation, operations
from tests.security.test_scope_matrix import SCOPES, got_through, probe
from tests.security.world import World

# From the contract's column "who": what a party asks for, and what an authority decides on it.
ASKED = {"disclose", "start", "complete-phase", "submit-report", "apply-evaluation", "submit-supplement", "reaudit"}
ASKED |= {"begin-implementation", "apply-acceptance", "reapply"}
DECIDED = {"accept-application", "return-application", "record-evaluation", "recheck", "record-acceptance"}
DECIDED |= {"order-rectification", "order-reaudit", "suspend", "resume"}
BOTH = {"cancel"}  # a party withdraws its own voluntary round; what an authority cancels, it decides alone
MOVING = [o for o in operations() if o.path.rsplit("/", 1)[-1] in {*ASKED, *DECIDED}]


@pytest.mark.parametrize("operation", MOVING, ids=lambda o: str(o).rsplit("/", 1)[-1])
@pytest.mark.parametrize("round_id", ["round_id", "open_round"])
def test_no_party_decides_and_no_authority_asks(
    world: World, operation: Operation, round_id: str, sizes: Sizes
) -> None:
    """With every scope that there is: it is the role that keeps the two apart."""
    asks = operation.path.rsplit("/", 1)[-1] in ASKED
    through = set()
    for side in world.sides:
        for caller in world.callers.values():
            answer = probe(world.with_scopes(caller, frozenset(SCOPES)), operation, {"round_id": side.ids[round_id]})
            if got_through(answer):
                through.add(caller.role)
            sizes["four eyes: (move, round, caller)"] += 1
    assert through, "somebody makes it"
    assert through <= {"enterprise", "institution"} if asks else through <= AUTHORITIES


def test_every_move_is_on_one_side() -> None:
    assert {*ASKED, *DECIDED, *BOTH} == set(MOVES)
    assert not ASKED & DECIDED


def test_a_party_cannot_take_its_own_application_on(world: World) -> None:
    """Asked for and decided by the same enterprise, the round stays where it was."""
    side = world.sides[0]
    enterprise, place = world[f"enterprise {side.word}"], f"/audits/v1/rounds/{side.ids['open_round']}"
    put_in_state(world.system, side.ids["open_round"], next(iter(MOVES["accept-application"])))
    try:
        before = enterprise.get(place).json()
        assert "accept-application" in before["allowed"]
        for move in sorted(DECIDED):
            answer = enterprise.post(f"{place}/{move}", {"panel": []}, headers={"If-Match": f'"{before["version"]}"'})
            assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), move
        assert enterprise.get(place).json() == before
    finally:
        put_in_state(world.system, side.ids["open_round"], next(iter(MOVES["disclose"])))
