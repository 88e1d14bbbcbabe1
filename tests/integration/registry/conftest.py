"""What the registry's tests share: a firm's data, and the authorities of its place."""

from typing import Any

import pytest

from tests.conftest import Api, As, shown

FIRM, OTHER = "91430200MA4QA0029A", "91430600MA4QA0037R"
BANK = "91430100MA4QA00108"
PLACE = "/registry/v1/enterprises"


def firm(**changes: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "uscc": FIRM,
        "name": "株洲示例冶炼有限公司",
        "division": "430202",
        "industry": "3212",
        "legal_representative": "张示例",
        "address": "株洲市示例路1号",
        "above_scale": True,
        "permit_no": f"{FIRM}001P",
    }
    return given | changes


@pytest.fixture
def city(as_role: As) -> Api:
    return as_role("city_ecology", jurisdiction="4302")


@pytest.fixture
def registered(city: Api) -> dict[str, Any]:
    answer = city.post(PLACE, firm())
    assert answer.status_code == 201, shown(answer)
    found: dict[str, Any] = answer.json()
    return found
