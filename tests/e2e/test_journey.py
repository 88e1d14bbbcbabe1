"""The main job from outside, over HTTP alone: random firms and dates, every call, every refusal, on both ways to run."""

import os
import random
from collections.abc import Iterator
from datetime import date, timedelta

import pytest

from infra.client import stranger
from infra.receiver import Receiver
from tests.e2e.chapters import credit, incentives, lists, notifications, registry, rounds, signing_in
from tests.e2e.chapters.world import World
from tests.e2e.walk import Walk
from tests.instances import Instance, running_instance

SEED = int(os.environ.get("CLEANPROD_JOURNEY_SEED") or random.randrange(10**6))
STORY = (
    signing_in.documents, signing_in.sign_in, signing_in.clients,
    registry.register, registry.register_by_file, registry.record_facts, registry.name_actors,
    credit.publish_grades, notifications.subscribe,
    lists.publish_list, registry.consent,
    rounds.audit, rounds.evaluate, rounds.score, rounds.accept, notifications.acceptance_was_pushed,
    credit.bank_sees, incentives.decide, incentives.try_facts, incentives.read_rules, incentives.tier_list,
    rounds.long_way, rounds.failed_evaluation, rounds.volunteer,
    credit.grades_by_file, credit.inputs_without_effect, notifications.a_subscription_lives,
    lists.overdue, lists.report_duties, lists.withdraw, rounds.every_move_was_made,
    notifications.feed, notifications.wait_and_stream,
    registry.change_the_register, registry.revoke, signing_in.nobody_without_a_token,
)  # fmt: skip

# What no journey of a minute can reach, and why.
OUT_OF_REACH = {
    "POST /notifications/v1/subscriptions/{subscription_id}/deliveries/{delivery_id}/retry": "a delivery dies after 72 hours",
}


@pytest.fixture(scope="module", params=["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
def instance(request: pytest.FixtureRequest) -> Iterator[Instance]:
    start = date(2026, 1, 5) + timedelta(days=random.Random(SEED).randrange(60))
    settings = {"CLEANPROD_CLOCK": start.isoformat()}
    if request.param == "kafka":
        settings |= {"CLEANPROD_BUS": "kafka", "CLEANPROD_KAFKA": request.getfixturevalue("broker").servers}
    with running_instance(forked=False, **settings) as running:
        yield running


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    started = Receiver().start()
    yield started
    started.stop()


def test_the_journey_ends_well_and_walks_every_call(instance: Instance, receiver: Receiver) -> None:
    start = date.fromisoformat(instance.settings["CLEANPROD_CLOCK"])
    walk = Walk(stranger(instance.base).get("/openapi.json").json())
    world = World(instance.home / "credentials.json", walk, receiver, start, random.Random(SEED))
    for chapter in STORY:
        try:
            chapter(world)
        except Exception as error:
            error.add_note(f"chapter {chapter.__name__}, seed {SEED}\n{instance.log()}")
            raise
    print(f"seed {SEED}: {walk}")
    assert walk.not_walked() == [*OUT_OF_REACH]
    assert walk.never_refused() == []
    assert not walk.other_zones, "an instant is told with +08:00"
    assert not walk.strays, "calls that the interface's document does not list"
