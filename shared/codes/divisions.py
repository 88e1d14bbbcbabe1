"""Administrative divisions of Hunan (GB/T 2260), by code or by name."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from shared.codes.files import read
from shared.codes.uscc import ascii_width

_SUFFIX = re.compile(r"(?:(?:土家族|苗族|侗族|瑶族)+自治[县州]|[市县区])$")
_ETHNIC = re.compile(r"(?:土家族|苗族|侗族|瑶族)+自治(?P<kind>[县州])$")


@dataclass(frozen=True)
class _Divisions:
    province: str
    names: Mapping[str, str]  # every code that means a place: province, cities, counties, zones, replaced codes
    counties: Mapping[str, str]  # county -> city
    moved: Mapping[str, str]  # replaced code -> county, zone -> city
    cities_by_name: Mapping[str, str]
    places_by_name: Mapping[str, Mapping[str, str]]  # city ("" = the province) -> name -> county, or city for a zone


@cache
def _divisions() -> _Divisions:
    data = read("divisions.yaml")
    province = data["province"]
    names: dict[str, str] = {province["code"]: province["name"]}
    counties: dict[str, str] = {}
    moved: dict[str, str] = {}
    for city in data["cities"]:
        names[city["code"]] = city["name"]
        names |= city["counties"]
        counties |= dict.fromkeys(city["counties"], city["code"])
    for zone in data["functional_zones"]:
        names[zone["code"]], moved[zone["code"]] = zone["name"], zone["parent"]
    for old in data["replaced"]:
        names[old["code"]], moved[old["code"]] = old["name"], old["now"]
    cities = {city["code"]: city["name"] for city in data["cities"]}
    by_name = {spelling: code for code, name in cities.items() for spelling in _spellings(name)}
    return _Divisions(province["code"], names, counties, moved, by_name, _places(names, counties, moved))


def _spellings(name: str) -> list[str]:
    """The full name last, so that it wins over another's short one: 醴陵, 醴陵市; 城步, 城步县, 城步苗族自治县."""
    base = _SUFFIX.sub("", name)
    short = [base] if len(base) > 1 else []
    if ethnic := _ETHNIC.search(name):
        short.append(base + ethnic["kind"])
    return [*short, name]


def _places(
    names: Mapping[str, str], counties: Mapping[str, str], moved: Mapping[str, str]
) -> dict[str, dict[str, str]]:
    short: list[tuple[str, str, str]] = []
    full: list[tuple[str, str, str]] = []
    for code, name in names.items():
        target = moved.get(code, code)
        city = counties.get(target, target)
        if code in counties:
            short += [(city, spelling, target) for spelling in _spellings(name)]
        if code in counties or code in moved:
            full.append((city, name, target))
        if code in moved:  # 岳阳市屈原管理区 is called 屈原管理区 where the city is named beside it
            short.append((city, name.removeprefix(names[city]), target))
    found: dict[str, dict[str, str]] = {"": {}}
    for city, name, target in short + full:
        found.setdefault(city, {})[name] = target
        found[""][name] = target
    return found


def county_codes() -> list[str]:
    """The 122 county-level codes of today, in order."""
    return sorted(_divisions().counties)


def division_known(code: str) -> bool:
    """Whether a code is one of the 122 county-level divisions of today (not a city, a zone or a replaced code)."""
    return code in _divisions().counties


def current_division(code: str) -> str | None:
    """The division that a code means today: a county itself, a replaced code its successor, a zone its city."""
    divisions = _divisions()
    return code if code in divisions.counties else divisions.moved.get(code)


def division_name(code: str) -> str | None:
    """The name of a province, city, county, zone or replaced code; prefixes such as 43 and 4302 are understood."""
    return _divisions().names.get(code.ljust(6, "0") if len(code) in (2, 4) else code)


def city_of(code: str) -> str | None:
    """The six-digit code of the city that a county, zone, replaced code or city belongs to; None outside Hunan."""
    divisions = _divisions()
    code = code.ljust(6, "0") if len(code) == 4 else code
    place = divisions.moved.get(code, code)
    city = divisions.counties.get(place, place)
    return city if city in divisions.cities_by_name.values() else None


def county_by_name(city_name: str, county_name: str) -> str | None:
    """The division that a file's 所在市州 and 所在县市区 mean; each may be a name or a code, the city may be empty.

    A missing 市, 县, 区 and a leading city or province name do no harm; a wrong one does. A zone gives its city's
    code, a replaced name or code the division of today. None when unknown or when the two contradict each other.
    """
    divisions = _divisions()
    city = _city(ascii_width(city_name))
    if city is None:
        return None
    text = ascii_width(county_name)
    found = current_division(text) if text.isdigit() else _place(divisions, city, text)
    return found if found is None or city in ("", city_of(found)) else None


def _place(divisions: _Divisions, city: str, text: str) -> str | None:
    places = divisions.places_by_name[city]
    rest = text.removeprefix("湖南省").strip(" -/·")
    leads = [divisions.names[code] for code in ([city] if city else divisions.cities_by_name.values())]
    spellings = [text, rest, *(rest.removeprefix(lead).strip(" -/·") for lead in leads)]
    return next((found for spelling in spellings if (found := places.get(spelling))), None)


def _city(text: str) -> str | None:
    """The code of a city given by name or code, "" where none is given, None where it is not one of Hunan's."""
    if text in ("", "湖南", "湖南省"):
        return ""
    divisions = _divisions()
    if text.isdigit():
        code = text.ljust(6, "0") if len(text) == 4 else text
        return code if code in divisions.cities_by_name.values() else None
    return divisions.cities_by_name.get(text.removeprefix("湖南省").strip(" -/·"))
