"""A request id or trace of the caller's is kept where it is well formed, and only there."""

import re
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from shared.tracing import causation_id, caused_by, correlation_id, request_id_from, traceparent_from


@given(st.text(max_size=80))
def test_an_id_is_harmless_whatever_came(header: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,64}", request_id_from(header))


@given(st.text(max_size=60) | st.from_regex(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}\n?", fullmatch=True))
def test_a_trace_is_well_formed_whatever_came(header: str) -> None:
    found = traceparent_from(header)
    assert re.fullmatch(r"00-(?!0{32})[0-9a-f]{32}-[0-9a-f]{16}-01", found)
    assert found != header


def test_a_trace_goes_on_under_a_new_span() -> None:
    trace = "ab" * 16
    assert traceparent_from(f"00-{trace}-{'cd' * 8}-00").split("-")[1] == trace
    for bad in (f"00-{trace}-{'0' * 16}-00", f"00-{'0' * 32}-{'cd' * 8}-00", f"00-{trace}-{'cd' * 8}-00\n", f"ff-{trace}-{'cd' * 8}-00"):
        assert traceparent_from(bad).split("-")[1] != trace


def test_what_caused_it_ends_with_it_even_after_an_error() -> None:
    event = uuid4()
    try:
        with caused_by("outer", "t", None), caused_by("inner", "t", event):
            assert (correlation_id.get(), causation_id.get()) == ("inner", event)
            raise ValueError
    except ValueError:
        pass
    assert (correlation_id.get(), causation_id.get()) == ("", None)
