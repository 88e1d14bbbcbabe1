"""When a delivery is tried again: pauses, jitter, what receivers ask for, and the end after 72 hours."""

import random
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifications.schedule import FailedAttempt, Schedule, disables, retry_after_seconds

FIRST = datetime(2026, 3, 10, 8, tzinfo=UTC)
HOURS = 3600
PAUSES = [5, 30, 120, 600, 1800, HOURS, 2 * HOURS, 4 * HOURS, 8 * HOURS, 12 * HOURS, 16 * HOURS, 28 * HOURS]


def failed(
    number: int = 1,
    after: timedelta = timedelta(0),
    *,
    status: int | None = 500,
    error_code: str | None = None,
    retry_after_s: int | None = None,
) -> FailedAttempt:
    return FailedAttempt(
        number=number,
        first_at=FIRST,
        ended_at=FIRST + after,
        status=status,
        error_code=error_code,
        retry_after_s=retry_after_s,
    )


def pause(attempt: FailedAttempt, schedule: Schedule | None = None, seed: int = 1) -> float:
    at = (schedule or Schedule()).next_attempt_at(attempt, random.Random(seed))
    assert at is not None
    return (at - attempt.ended_at).total_seconds()


@pytest.mark.parametrize(("number", "seconds"), list(enumerate(PAUSES, start=1)))
def test_each_pause_is_the_published_one_within_20_percent(number: int, seconds: int) -> None:
    pauses = [pause(failed(number), seed=seed) for seed in range(200)]
    assert all(0.8 * seconds <= one <= 1.2 * seconds for one in pauses)
    assert min(pauses) < 0.9 * seconds and max(pauses) > 1.1 * seconds


@pytest.mark.parametrize("seed", range(30))
def test_a_receiver_that_never_answers_is_given_up_at_72_hours_and_not_before(seed: int) -> None:
    rng, schedule, attempts = random.Random(seed), Schedule(), [FIRST]
    while (at := schedule.next_attempt_at(failed(len(attempts), attempts[-1] - FIRST), rng)) is not None:
        assert at > attempts[-1]
        attempts.append(at)
    assert attempts[-1] == FIRST + timedelta(hours=72)
    assert 12 <= len(attempts) <= 15


def test_nothing_is_tried_after_72_hours() -> None:
    late = failed(13, timedelta(hours=72))
    assert Schedule().next_attempt_at(late, random.Random(1)) is None


@pytest.mark.parametrize(
    ("status", "error_code"),
    [(429, None), (502, None), (504, None), (None, "timeout"), (200, "response_too_slow")],
)
def test_a_busy_receiver_gets_at_least_a_minute(status: int | None, error_code: str | None) -> None:
    assert pause(failed(1, status=status, error_code=error_code)) == 60
    assert pause(failed(3, status=status, error_code=error_code)) >= 96


@pytest.mark.parametrize("status", [400, 404, 500, 503])
def test_any_other_failure_is_tried_again_soon(status: int) -> None:
    assert pause(failed(1, status=status)) <= 6


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_honoured_when_it_is_longer(status: int) -> None:
    assert pause(failed(1, status=status, retry_after_s=900)) == 900
    assert pause(failed(9, status=status, retry_after_s=900)) >= 0.8 * 8 * HOURS
    assert pause(failed(1, status=status, retry_after_s=40 * HOURS)) == 24 * HOURS


def test_retry_after_says_nothing_on_other_answers() -> None:
    assert pause(failed(1, status=500, retry_after_s=900)) <= 6


def test_a_pause_the_receiver_asked_for_is_never_shortened_to_fit_the_72_hours() -> None:
    late = failed(12, timedelta(hours=60), status=503, retry_after_s=13 * HOURS)
    assert Schedule().next_attempt_at(late, random.Random(1)) is None
    in_time = failed(12, timedelta(hours=60), status=503, retry_after_s=11 * HOURS)
    assert Schedule().next_attempt_at(in_time, random.Random(1)) == FIRST + timedelta(hours=72)


def test_an_operators_schedule_is_used_as_given_and_its_last_pause_repeats() -> None:
    schedule = Schedule.parse("1, 2,4")
    for number, seconds in [(1, 1), (2, 2), (3, 4), (4, 4), (500, 4)]:
        assert 0.8 * seconds <= pause(failed(number), schedule) <= 1.2 * seconds
    assert pause(failed(1, status=429), schedule) <= 1.2
    assert pause(failed(1, status=None, error_code="timeout"), schedule) <= 1.2
    assert pause(failed(1, status=429, retry_after_s=7), schedule) == 7


@pytest.mark.parametrize("text", [None, "", "  "])
def test_without_a_schedule_the_published_one_holds(text: str | None) -> None:
    assert Schedule.parse(text) == Schedule()


def test_pauses_may_be_fractions_of_a_second() -> None:
    assert Schedule.parse("0.25").pauses == (timedelta(milliseconds=250),)


@pytest.mark.parametrize("text", ["1,,2", "soon", "0", "-1", "1;2", "1e3", "nan", "259201", "0.0001", "١"])
def test_a_schedule_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="retry pause"):
        Schedule.parse(text)


@pytest.mark.parametrize(("status", "ends"), [(410, True), (404, False), (200, False), (None, False)])
def test_only_gone_disables(status: int | None, ends: bool) -> None:
    assert disables(status) is ends


NOW = datetime(2026, 3, 10, 8, 0, 0, 400000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        (" 120 ", 120),
        ("0", 0),
        ("120.1", 121),
        ("86401", 86400),
        ("999999999999999", 86400),
        ("Tue, 10 Mar 2026 08:02:00 GMT", 120),
        ("Tue, 10 Mar 2026 16:02:00 +0800", 120),
        ("Tue, 10 Mar 2026 08:02:00 -0000", 120),
        ("Tuesday, 10-Mar-26 08:02:00 GMT", 120),
        ("Tue, 10 Mar 2026 07:00:00 GMT", 0),
        ("Tue, 10 Mar 2099 07:00:00 GMT", 86400),
        (None, None),
        ("", None),
        ("-5", None),
        ("soon", None),
        ("1e9", None),
        ("inf", None),
        ("1" * 5000, None),
        ("١٢٠", None),
        ("Tue, 99 Mar 2026 08:02:00 GMT", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_a_date(value: str | None, seconds: int | None) -> None:
    assert retry_after_seconds(value, NOW) == seconds


@given(st.text(st.characters(max_codepoint=0x6FF), max_size=40))
def test_no_retry_after_breaks_the_reader(value: str) -> None:
    seconds = retry_after_seconds(value, NOW)
    assert seconds is None or 0 <= seconds <= 86400


@given(st.integers(min_value=0, max_value=86400))
def test_a_date_is_never_answered_early(ahead: int) -> None:
    at = NOW.replace(microsecond=0) + timedelta(seconds=ahead)
    seconds = retry_after_seconds(format_datetime(at, usegmt=True), NOW)
    assert seconds is not None
    assert NOW + timedelta(seconds=seconds) >= at
