"""Pages over HTTP: everything once, in order; a cursor is only good where it was made."""

import base64

import pytest

from shared.db import Database
from shared.paging import cursor
from tests.conftest import Api
from tests.integration.http.conftest import As

THINGS = "/proof/v1/things"


@pytest.fixture
def filled(db: Database, me: Api) -> Api:
    with db.connection() as connection:
        connection.execute(
            "INSERT INTO effect (handler, subject, n) SELECT 'http', 'a' || n, n FROM generate_series(0, 24) n"
        )
    return me


def test_following_next_shows_everything_once_and_in_order(filled: Api) -> None:
    path, seen, pages = f"{THINGS}?limit=7&q=a", [], 0
    while path:
        answer = filled.get(path)
        seen += answer.json()["items"]
        pages += 1
        link = answer.headers.get("Link", "")
        assert bool(link) == bool(answer.json()["next"])
        path = link.removeprefix("<").split(">")[0]
    assert (seen, pages) == (list(range(25)), 4)


def test_a_cursor_is_refused_where_it_was_not_made(filled: Api) -> None:
    given = filled.get(THINGS, params={"limit": 7, "q": "a"}).json()["next"]
    assert filled.get(THINGS, params={"limit": 3, "q": "a", "after": given}).json()["items"] == [7, 8, 9]
    for params in ({"q": "b"}, {}, {"q": "a "}):
        answer = filled.get(THINGS, params=params | {"after": given})
        assert (answer.status_code, answer.json()["code"]) == (422, "cursor_invalid")


def test_an_altered_cursor_is_refused_wherever_it_is_altered(filled: Api) -> None:
    given = filled.get(THINGS, params={"limit": 7}).json()["next"]
    altered = {given[:at] + ("A" if given[at] != "A" else "B") + given[at + 1 :] for at in range(len(given) - 1)}
    deep = base64.urlsafe_b64encode(b"[" * 1400).decode()
    for after in (*altered, given[:-4], given + given, "", "null", "W10", "é", deep):
        answer = filled.get(THINGS, params={"after": after})
        assert (answer.status_code, answer.json()["code"]) == (422, "cursor_invalid"), after


def test_nobody_else_can_make_a_cursor(filled: Api) -> None:
    for key in ("not a number", "7"):
        answer = filled.get(THINGS, params={"after": cursor([key], f"{THINGS}?")})
        assert (answer.status_code, answer.json()["code"]) == (422, "cursor_invalid")


def test_a_limit_beyond_the_law_is_refused(as_client: As) -> None:
    for limit in ("0", "-1", "501", "x", "1e3"):
        assert as_client().get(THINGS, params={"limit": limit}).status_code == 422
