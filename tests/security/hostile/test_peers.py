"""What the peers' own suites prove of their webhooks and feeds, and which tests of ours prove it (T1-T15)."""

from pathlib import Path

import pytest

TESTS = Path(__file__).parents[2]
SIGNING, TARGETS = "unit/notifications/test_webhook_signing.py", "unit/notifications/test_webhook_targets.py"
SENDING, SCHEDULE = "unit/notifications/test_webhook_transport.py", "unit/notifications/test_retry_schedule.py"
DELIVERIES, FEED = (
    "integration/notifications/test_webhook_deliveries.py",
    "integration/notifications/test_event_log_and_feed.py",
)
SUBSCRIPTIONS, OURS = "integration/notifications/test_subscriptions.py", "security/hostile"
COVERED = {
    "T1 signature vector A": [(SIGNING, "test_the_published_hmac_vector_is_reproduced")],
    "T2 signature vector B": [(SIGNING, "test_the_second_published_hmac_vector_is_reproduced")],
    "T3 Ed25519 vector": [(SIGNING, "test_the_published_ed25519_vector_is_reproduced")],
    "T4 third-party verifiers on the wire": [
        (DELIVERIES, "test_public_libraries_verify_every_attempt_also_during_rotation"),
        (DELIVERIES, "test_after_24_hours_the_old_secret_signs_no_more"),
    ],
    "T5 negative cases on the published receiver": [
        (f"{OURS}/test_receiver_code.py", "test_it_refuses_what_ours_refuses")
    ],
    "T6 address table": [
        (TARGETS, "test_an_address_that_is_not_public_is_blocked"),
        (f"{OURS}/test_ssrf.py", "test_none_is_delivered_to"),
    ],
    "T7 URL tricks and rebinding": [
        (TARGETS, "test_a_url_is_refused"),
        (f"{OURS}/test_ssrf.py", "test_a_name_that_turns_inward_is_not_followed"),
    ],
    "T8 redirects": [
        (SENDING, "test_a_redirect_is_never_followed"),
        (f"{OURS}/test_ssrf.py", "test_a_redirect_inside_is_never_followed"),
    ],
    "T9 retry and disable": [
        (SCHEDULE, "test_each_pause_is_the_published_one_within_20_percent"),
        (SCHEDULE, "test_retry_after_is_read_as_seconds_or_a_date"),
        (SCHEDULE, "test_only_gone_disables"),
        (DELIVERIES, "test_after_72_hours_it_is_dead_and_the_owner_may_ask_for_it_again"),
    ],
    "T10 DisabledDestinationSkips, EnableAfterDisableResumes": [
        (DELIVERIES, "test_what_happens_while_it_is_paused_or_disabled_comes_afterwards_in_order")
    ],
    "T10 DuplicatePublishReturnsDuplicate": [(DELIVERIES, "test_an_event_that_comes_twice_is_delivered_once")],
    "T10 MultipleDestinations, RetryRaceCondition": [
        (DELIVERIES, "test_two_dispatchers_never_share_a_lane_and_keep_the_order")
    ],
    "T10 PreservesPayloadKeyOrder": [(FEED, "test_the_events_of_the_feed_are_the_bytes_of_the_webhook")],
    "T10 RespectsDataFilter": [(DELIVERIES, "test_a_filter_narrows_by_enterprise_and_by_place")],
    "T10 TopicRoutes": [(FEED, "test_types_are_names_or_patterns")],
    "T10 WebhookResponseBodyCap": [(SENDING, "test_a_huge_answer_is_cut_and_the_connection_closed")],
    "T11 queue laws": [
        (DELIVERIES, "test_work_of_a_crashed_dispatcher_is_done_after_its_lease"),
        (DELIVERIES, "test_results_of_a_lost_lease_are_ignored"),
    ],
    "T12 CloudEvents": [
        (DELIVERIES, "test_a_delivery_is_a_structured_cloud_event"),
        (f"{OURS}/test_feed_laws.py", "test_the_laws_of_the_feed"),
    ],
    # The contract proves control of a url with a signed challenge instead of the CloudEvents OPTIONS handshake.
    "T13 abuse handshake": [(SUBSCRIPTIONS, "test_who_does_not_return_the_challenge_is_not_verified")],
    "T14 feed laws": [
        (FEED, "test_concurrent_writers_leave_no_gap_and_a_reader_at_the_head_misses_nothing"),
        (f"{OURS}/test_feed_laws.py", "test_the_laws_of_the_feed"),
    ],
    "T15 API fuzz": [(f"{OURS}/test_fuzz.py", "test_no_request_is_a_failure_of_ours")],
}


@pytest.mark.parametrize("scenario", COVERED)
def test_the_scenario_is_one_of_ours(scenario: str) -> None:
    for file, name in COVERED[scenario]:
        assert f"def {name}(" in (TESTS / file).read_text(encoding="utf-8"), (file, name)


def test_no_number_is_left_out() -> None:
    assert {key.split()[0] for key in COVERED} == {f"T{number}" for number in range(1, 16)}
