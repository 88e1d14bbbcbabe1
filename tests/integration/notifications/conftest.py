"""Fixtures of the notifications tests: local receivers are allowed, retries come after one, two and four seconds."""

from collections.abc import Iterator

import pytest

from infra.system import with_environment
from tests.integration.notifications.receivers import Receiver, running_receiver


@pytest.fixture
def environment(environment: dict[str, str]) -> Iterator[dict[str, str]]:
    found = environment | {"CLEANPROD_WEBHOOK_ALLOW": "127.0.0.0/8", "CLEANPROD_RETRY_SECONDS": "1,2,4"}
    with with_environment(found):
        yield found


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with running_receiver() as running:
        yield running
