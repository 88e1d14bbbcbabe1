"""Places and trades by code and by name, as people and sheets write them."""

import pytest
import yaml

from shared.codes import (
    city_of,
    county_by_name,
    current_division,
    division_known,
    division_name,
    industry_by_name,
    industry_code,
    industry_known,
    industry_name,
)
from shared.codes.files import DATA, read


def counties() -> dict[str, tuple[str, str]]:
    """County code -> (city name, county name), straight from the file."""
    cities = yaml.safe_load((DATA / "divisions.yaml").read_text(encoding="utf-8"))["cities"]
    return {code: (city["name"], name) for city in cities for code, name in city["counties"].items()}


def test_hunan_has_14_cities_and_122_counties_of_four_kinds() -> None:
    names = [name for _, name in counties().values()]
    autonomous = [name for name in names if name.endswith("自治县")]
    assert len({city for city, _ in counties().values()}) == 14
    assert len(names) == 122
    assert len([name for name in names if name.endswith("区")]) == 36
    assert len([name for name in names if name.endswith("市")]) == 19
    assert len(autonomous) == 7
    assert len([name for name in names if name.endswith("县")]) - len(autonomous) == 60


def test_every_county_is_found_by_code_and_by_every_way_to_write_its_name() -> None:
    for code, (city, name) in counties().items():
        assert division_known(code) and current_division(code) == code and division_name(code) == name
        assert city_of(code) == code[:4] + "00"
        short_city = city.removesuffix("市").removesuffix("土家族苗族自治州")
        for where in (city, short_city, city_of(code), code[:4], ""):
            assert county_by_name(str(where), name) == code
            assert county_by_name(str(where), code) == code
            assert county_by_name(str(where), f"{city}{name}") == code
        assert county_by_name(f"湖南省{city}", f"湖南省{city}{name}") == code
        if len(name) > 2:
            assert county_by_name(city, name[:-1] if "自治" not in name else name[:2]) == code


@pytest.mark.parametrize(
    ("city", "county", "code"),
    [
        ("株洲", "醴陵", "430281"),
        (" 株洲市\u3000", "\u00a0醴陵市 ", "430281"),
        ("常德", "津市", "430781"),
        ("怀化", "洪江", "431281"),
        ("邵阳", "城步县", "430529"),
        ("湘西州", "凤凰", "433123"),
        ("430200", "430281", "430281"),
        ("４３０２００", "４３０２８１", "430281"),
    ],
)
def test_a_name_may_lack_its_suffix(city: str, county: str, code: str) -> None:
    assert county_by_name(city, county) == code


@pytest.mark.parametrize(
    ("city", "county"),
    [("长沙", "醴陵"), ("430100", "430281"), ("株洲", "醴陵县"), ("武汉", "江岸区"), ("株洲", ""), ("", ""), ("株洲", "株洲市"),
     ("9999", "430281"), ("株洲", "110101")],
)  # fmt: skip
def test_a_wrong_or_contradicting_name_is_nothing(city: str, county: str) -> None:
    assert county_by_name(city, county) is None


@pytest.mark.parametrize(
    ("city", "old_code", "old_name", "now"),
    [
        ("邵阳", "430521", "邵东县", "430582"),
        ("永州", "431121", "祁阳县", "431181"),
        ("株洲", "430221", "株洲县", "430212"),
        ("长沙", "430124", "宁乡县", "430182"),
    ],
)
def test_a_replaced_division_leads_to_the_one_of_today(city: str, old_code: str, old_name: str, now: str) -> None:
    assert not division_known(old_code)
    assert current_division(old_code) == now
    assert division_name(old_code) == old_name
    assert city_of(old_code) == city_of(now)
    assert county_by_name(city, old_name) == county_by_name(city, old_code) == now


def test_a_functional_zone_is_no_division_and_leads_to_its_city() -> None:
    zones = read("divisions.yaml")["functional_zones"]
    assert len(zones) == 12
    for zone in zones:
        assert not division_known(zone["code"])
        assert current_division(zone["code"]) == city_of(zone["code"]) == zone["parent"] == zone["code"][:4] + "00"
        assert county_by_name(zone["parent"], zone["name"]) == county_by_name("", zone["code"]) == zone["parent"]
    assert county_by_name("岳阳", "屈原管理区") == "430600"


@pytest.mark.parametrize("code", ["430000", "430200", "4302", "43", "110101", "430299", "999999", "", "43028１"])
def test_what_is_not_a_county_of_today_is_not_known(code: str) -> None:
    assert not division_known(code)
    assert current_division(code) is None


def test_prefixes_have_names_and_cities() -> None:
    assert (division_name("43"), division_name("4302"), division_name("430200")) == ("湖南省", "株洲市", "株洲市")
    assert (city_of("4302"), city_of("430200")) == ("430200", "430200")
    assert (division_name("110000"), city_of("110101"), city_of("430000")) == (None, None, None)


@pytest.mark.parametrize("code", ["3110", "2672", "3216", "2319", "3333", "3360", "7724", "4430", "2521", "2710"])
def test_a_class_that_the_opinions_name_is_known_by_code_and_name(code: str) -> None:
    name = industry_name(code)
    assert industry_known(code) and name
    assert industry_by_name(name) == code
    for written in (code, f" {code}\u3000", f"C{code}", f"{code} {name}", f"{name}（C{code}）", name):
        assert industry_code(written) == code, written


@pytest.mark.parametrize("code", ["9999", "31", "311", "31100", "C3110", "", "０"])
def test_another_code_is_not_known(code: str) -> None:
    assert not industry_known(code)
    assert industry_name(code) is None


def test_every_name_of_the_list_leads_to_one_class() -> None:
    listed = {code: name for group in read("industries.yaml")["groups"] for code, name in group["codes"].items()}
    assert all(len(code) == 4 and code.isdigit() for code in listed)
    assert {industry_by_name(name) for name in listed.values()} == set(listed)


@pytest.mark.parametrize(("written", "code"), [("电镀", "3360"), ("焦化", "2521"), ("合成纤维(单 聚合)体制造", None)])
def test_a_trade_of_one_class_may_be_called_by_its_name(written: str, code: str | None) -> None:
    assert industry_code(written) == code


def test_the_width_of_signs_in_a_name_does_not_matter() -> None:
    assert industry_by_name("合成纤维(单(聚合)体制造") is None
    assert industry_by_name("合成纤维单(聚合)体制造") == industry_by_name(" 合成纤维单（聚合）体 制造") == "2653"


@pytest.mark.parametrize("written", ["钢铁", "包装印刷", "工业涂装", "", "3110、3120", "9999 炼铁术", "120260101"])
def test_a_trade_of_many_classes_or_of_none_is_nothing(written: str) -> None:
    assert industry_code(written) is None
