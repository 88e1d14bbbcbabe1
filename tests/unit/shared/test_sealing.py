"""What is sealed opens with its key, at its place, unaltered, and not otherwise."""

import pytest
from cryptography.exceptions import InvalidTag
from hypothesis import given
from hypothesis import strategies as st

from shared.sealing import Sealer, new_key

SEALER = Sealer(b"k" * 32)


@given(st.binary(max_size=200), st.text(st.characters(codec="utf-8"), max_size=30))
def test_what_was_sealed_opens_at_its_place(plain: bytes, place: str) -> None:
    assert SEALER.open(SEALER.seal(plain, place), place) == plain


def test_another_place_another_key_or_an_altered_byte_does_not_open() -> None:
    sealed = SEALER.seal(b"whsec_secret", "subscription/1")
    for sealer, place in ((SEALER, "subscription/2"), (SEALER, ""), (Sealer(b"x" * 32), "subscription/1")):
        with pytest.raises(InvalidTag):
            sealer.open(sealed, place)
    for at in range(1, len(sealed)):
        with pytest.raises(InvalidTag):
            SEALER.open(sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :], "subscription/1")


def test_the_same_secret_is_never_sealed_the_same() -> None:
    assert len({SEALER.seal(b"a", "p") for _ in range(100)}) == 100
    assert b"whsec" not in SEALER.seal(b"whsec_secret", "p")


def test_keys_are_made_anew() -> None:
    assert len({new_key() for _ in range(20)}) == 20
