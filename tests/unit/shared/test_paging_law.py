"""The law of pages: following the cursors shows every row once, in order, whatever the limit."""

import base64
import json

import pytest
from fastapi import Request, Response
from hypothesis import given
from hypothesis import strategies as st

from shared.paging import cursor, filters_of, page, position
from shared.problems import Unprocessable


def request(query: str = "", path: str = "/x/v1/things") -> Request:
    scope = {"type": "http", "method": "GET", "path": path, "query_string": query.encode(), "headers": [], "server": ("h", 80)}
    return Request(scope)


@given(st.lists(st.tuples(st.integers(0, 9), st.text(max_size=5)), unique=True, max_size=40), st.integers(1, 12))
def test_the_pages_together_are_the_list(rows: list[tuple[int, str]], limit: int) -> None:
    ordered, seen, after = sorted(rows), [], None
    for _ in range(len(rows) + 1):
        place = position(after, filters_of(request("a=1")), 2)
        rest = [r for r in ordered if place is None or r > (int(place[0]), place[1])]
        found = page(request("a=1"), Response(), rest[: limit + 1], limit, lambda r: r, lambda r: r)
        assert len(found["items"]) <= limit
        seen += found["items"]
        after = found["next"]
        if after is None:
            break
    assert seen == ordered


@given(st.lists(st.text(max_size=20), min_size=1, max_size=4), st.text(max_size=20), st.text(max_size=20))
def test_a_cursor_holds_its_key_and_is_bound_to_its_filters(key: list[str], mine: str, theirs: str) -> None:
    made = cursor(key, mine)
    assert position(made, mine, len(key)) == key
    for filters, parts in ((theirs, len(key)), (mine, len(key) + 1)):
        if (filters, parts) != (mine, len(key)):
            with pytest.raises(Unprocessable):
                position(made, filters, parts)


@given(st.text(max_size=100) | st.binary(max_size=60).map(lambda b: base64.urlsafe_b64encode(b).decode()))
def test_what_is_no_cursor_is_refused_and_breaks_nothing(after: str) -> None:
    with pytest.raises(Unprocessable) as refused:
        position(after, "f", 1)
    assert refused.value.code == "cursor_invalid"


@given(st.text(st.characters(codec="ascii"), min_size=1, max_size=30), st.integers(0, 60), st.integers(0, 127))
def test_an_altered_cursor_is_refused_or_means_the_same(key: str, at: int, letter: int) -> None:
    made = cursor([key], "f")
    other = made[:at] + chr(letter) + made[at + 1 :] if at < len(made) else made + chr(letter)
    try:
        assert position(other, "f", 1) == [key]
    except Unprocessable as refused:
        assert refused.code == "cursor_invalid"


def test_a_cursor_with_other_types_inside_is_refused() -> None:
    mark = json.loads(base64.urlsafe_b64decode(cursor(["7"], "f") + "=="))[0]
    for values in ([mark, 7], [mark, None], [mark, ["7"]], {"0": mark}, [None, "7"], [mark]):
        made = base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")
        with pytest.raises(Unprocessable):
            position(made, "f", 1)


def test_filters_are_the_same_in_any_order_and_differ_where_they_mean_other_rows() -> None:
    assert filters_of(request("a=1&b=2&limit=5&after=x")) == filters_of(request("b=2&a=1"))
    different = [request("a=1%26b%3D2"), request("a=1&b=2"), request("a=1"), request("a=1", "/x/v1/others"), request("")]
    assert len({filters_of(r) for r in different}) == len(different)


def test_the_link_is_safe_for_a_chinese_path_and_keeps_the_query() -> None:
    response = Response()
    page(request("q=%E7%BB%BF&limit=1", "/x/v1/株洲"), response, [1, 2], 1, lambda r: [r], lambda r: r)
    link = response.headers["Link"]
    assert link.startswith("</x/v1/%E6%A0%AA%E6%B4%B2?q=%E7%BB%BF&limit=1&after=") and link.endswith('>; rel="next"')
