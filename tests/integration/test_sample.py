"""What somebody sees who has just started the product: a province at every stage, with duties in every state."""

import pytest

from infra import sample
from tests.instances import running_instance

pytestmark = pytest.mark.slow


def test_a_first_start_ends_with_a_province_to_look_at() -> None:
    with running_instance(CLEANPROD_SAMPLE="") as instance:
        province = instance.callers["provincial_ecology"]
        rounds = province.get("/audits/v1/rounds", limit=200)["items"]
        assert len(rounds) == sample.LISTED
        assert len({round["state"] for round in rounds}) >= 8
        found = province.get("/audits/v1/deadlines", limit=500)["items"]
        assert {duty["status"] for duty in found} >= {"pending", "overdue", "done"}
        last = max(duty["due_on"] for duty in found if duty["status"] == "overdue")
        assert not [duty for duty in found if duty["status"] == "pending" and (duty["due_on"] or last) < last]
