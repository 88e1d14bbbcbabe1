"""A setting that makes no sense is told in one sentence before anything is started."""

import pytest
from pydantic import ValidationError

from infra.home import CannotStart
from infra.instance import require_sense, wanted_port
from infra.sandbox import MoveClock
from shared.settings import Settings


@pytest.mark.parametrize("given", ["", "abc", "-1", "0", "65536", "99999999999", "８０００", "80.0"])
def test_a_port_that_is_none_is_told(given: str) -> None:
    with pytest.raises(CannotStart, match="CLEANPROD_PORT"):
        wanted_port(given)


def test_every_port_there_is_may_be_asked_for() -> None:
    assert [wanted_port(given) for given in ("1", "8000", "65535")] == [1, 8000, 65535]


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("CLEANPROD_BUS", "rabbit"),
        ("CLEANPROD_RETRY_SECONDS", "a,b"),
        ("CLEANPROD_RETRY_SECONDS", "1,,2"),
        ("CLEANPROD_WEBHOOK_ALLOW", "everything"),
        ("CLEANPROD_WEBHOOK_ALLOW", "127.0.0.1/8"),
    ],
)
def test_a_setting_without_sense_is_named(name: str, given: str) -> None:
    with pytest.raises(CannotStart, match=name):
        require_sense(Settings.model_validate({name: given}))


def test_settings_that_make_sense_pass() -> None:
    given = {"CLEANPROD_RETRY_SECONDS": "1,2,4", "CLEANPROD_WEBHOOK_ALLOW": "127.0.0.0/8", "CLEANPROD_BUS": "kafka"}
    require_sense(Settings.model_validate(given))
    require_sense(Settings())


def test_the_sandbox_moves_within_this_century() -> None:
    assert MoveClock.model_validate({"today": "2099-12-31"})
    with pytest.raises(ValidationError):
        MoveClock.model_validate({"today": "2100-01-01"})
