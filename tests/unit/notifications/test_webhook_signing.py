"""Signatures: published vectors, two independent verifiers, rotation, and everything a receiver must refuse."""

import base64
import time
from datetime import UTC, datetime

import pytest
import standardwebhooks
import svix
from joserfc.jwk import OKPKey

from services.notifications.signing import (
    SignatureRefused,
    SigningKey,
    jwks,
    new_secret,
    secret_bytes,
    sign,
    verify,
)

ID, AT, BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
SECRET = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
KEY = "6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=="
PUBLIC_KEY = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="
V1 = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
V1A = "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="


def headers(signature: str, message_id: str = ID, timestamp: str = str(AT)) -> dict[str, str]:
    return {"webhook-id": message_id, "webhook-timestamp": timestamp, "webhook-signature": signature}


def test_the_published_hmac_vector_is_reproduced() -> None:
    assert sign([SECRET], None, ID, AT, BODY) == V1


def test_the_second_published_hmac_vector_is_reproduced() -> None:
    body = b'{"email":"test@example.com","username":"test_user"}'
    signature = sign(
        ["whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"], None, "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", 1649367553, body
    )
    assert signature == "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="


def test_the_published_ed25519_vector_is_reproduced() -> None:
    key = SigningKey.from_text(KEY)
    assert sign([], key, ID, AT, BODY) == V1A
    assert key.public_text == PUBLIC_KEY


def test_one_header_carries_every_live_secret_and_then_the_service_key() -> None:
    signature = sign([SECRET, b"k" * 32], SigningKey.from_text(KEY), ID, AT, BODY)
    assert [part.partition(",")[0] for part in signature.split(" ")] == ["v1", "v1", "v1a"]
    assert signature.startswith(V1 + " ") and signature.endswith(" " + V1A)


@pytest.mark.parametrize("library", [standardwebhooks.Webhook, svix.Webhook])
def test_independent_libraries_accept_old_and_new_secret_during_a_rotation(library: type) -> None:
    old, new, now = new_secret(), new_secret(), int(time.time())
    key = SigningKey.new()
    during = headers(sign([new, old], key, ID, now, BODY), timestamp=str(now))
    after = headers(sign([new], key, ID, now, BODY), timestamp=str(now))
    for secret, given in [(old, during), (new, during), (new, after)]:
        library(secret).verify(BODY, given)  # raises when it does not match
    with pytest.raises(Exception, match="No matching signature"):
        library(old).verify(BODY, after)


def test_our_verifier_accepts_what_the_library_signs() -> None:
    at = datetime.fromtimestamp(AT, UTC)
    signature = standardwebhooks.Webhook(SECRET).sign(ID, at, BODY.decode())
    verify([SECRET], headers(signature), BODY, now=AT)


def test_a_new_secret_has_32_random_bytes() -> None:
    first, second = new_secret(), new_secret()
    assert first.startswith("whsec_") and first != second
    assert len(secret_bytes(first)) == 32
    assert len(base64.b64decode(first.removeprefix("whsec_"), validate=True)) == 32


def test_a_secret_reads_the_same_with_and_without_prefix_and_padding() -> None:
    padded = "whsec_" + base64.b64encode(b"k" * 32).decode()
    assert padded.endswith("=")
    assert secret_bytes(padded) == secret_bytes(padded.rstrip("=")) == secret_bytes(padded[6:]) == b"k" * 32


@pytest.mark.parametrize("secret", ["", "whsec_", b"", "whsec_not base64!", "whsec_a"])
def test_a_secret_that_is_none_is_refused(secret: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"empty|base64"):
        sign([secret], None, ID, AT, BODY)


@pytest.mark.parametrize("message_id", ["evt_1.2", ".", ""])
def test_an_id_with_a_dot_is_never_signed(message_id: str) -> None:
    with pytest.raises(ValueError, match="dot"):
        sign([SECRET], None, message_id, AT, BODY)


def test_a_message_is_never_sent_unsigned() -> None:
    with pytest.raises(ValueError, match="secret or a signing key"):
        sign([], None, ID, AT, BODY)


@pytest.mark.parametrize("now", [AT, AT - 300, AT + 300])
@pytest.mark.parametrize("signature", [V1, V1A, f"v1,AAAA {V1}", f"v9,what {V1A}", f"{V1A} v1,AAAA"])
def test_a_good_signature_is_accepted_within_five_minutes(signature: str, now: int) -> None:
    verify([SECRET], headers(signature), BODY, now=now, public_keys=[PUBLIC_KEY])


def test_header_names_may_come_in_any_case() -> None:
    verify([SECRET], {name.title(): value for name, value in headers(V1).items()}, BODY, now=AT)


REFUSED: list[tuple[str, dict[str, str], int, str]] = [
    ("no id", headers(V1, message_id=""), AT, "missing_header"),
    ("no timestamp", headers(V1, timestamp=""), AT, "missing_header"),
    ("no signature", headers(""), AT, "missing_header"),
    ("a timestamp that is a word", headers(V1, timestamp="hello"), AT, "bad_timestamp"),
    ("a timestamp in other digits", headers(V1, timestamp="١٦١٤٢٦٥٣٣٠"), AT, "bad_timestamp"),
    ("a timestamp with a fraction", headers(V1, timestamp=f"{AT}.0"), AT, "bad_timestamp"),
    ("five minutes and a second late", headers(V1), AT + 301, "too_old"),
    ("five minutes and a second early", headers(V1), AT - 301, "too_new"),
    ("half a signature", headers(V1[:20]), AT, "no_match"),
    ("an empty signature", headers("v1,"), AT, "no_match"),
    ("a signature without a comma", headers("v1"), AT, "no_match"),
    ("a bare signature", headers(V1[3:]), AT, "no_match"),
    ("another id", headers(V1, message_id="msg_other"), AT, "no_match"),
    ("an id that swallows the timestamp", headers(V1, message_id=f"{ID}.1"), AT, "bad_id"),
    ("another time", headers(V1, timestamp=str(AT + 1)), AT, "no_match"),
    ("an hmac offered as Ed25519", headers(V1.replace("v1,", "v1a,")), AT, "no_match"),
    ("an Ed25519 signature offered as hmac", headers(V1A.replace("v1a,", "v1,")), AT, "no_match"),
    ("an Ed25519 signature cut short", headers(V1A[:40]), AT, "no_match"),
    ("an Ed25519 signature of characters", headers("v1a,签名"), AT, "no_match"),
    ("an hmac of characters", headers("v1,签名"), AT, "no_match"),
]


@pytest.mark.parametrize(("given", "now", "reason"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_a_receiver_refuses(given: dict[str, str], now: int, reason: str) -> None:
    with pytest.raises(SignatureRefused) as refused:
        verify([SECRET], given, BODY, now=now, public_keys=[PUBLIC_KEY])
    assert refused.value.reason == reason


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_receiver_refuses_a_request_without_the_header(name: str) -> None:
    given = headers(V1)
    del given[name]
    with pytest.raises(SignatureRefused, match="missing_header"):
        verify([SECRET], given, BODY, now=AT)


@pytest.mark.parametrize("signature", [V1, V1A])
def test_a_receiver_refuses_a_changed_body_and_an_unknown_key(signature: str) -> None:
    with pytest.raises(SignatureRefused, match="no_match"):
        verify([SECRET], headers(signature), BODY + b" ", now=AT, public_keys=[PUBLIC_KEY])
    with pytest.raises(SignatureRefused, match="no_match"):
        verify([new_secret()], headers(signature), BODY, now=AT, public_keys=[SigningKey.new().public_text])


def test_a_receiver_without_a_usable_secret_is_a_mistake_and_no_refusal() -> None:
    with pytest.raises(ValueError, match="empty"):
        verify([""], headers(V1), BODY, now=AT)
    with pytest.raises(ValueError, match="secret or a public key"):
        verify([], headers(V1), BODY, now=AT)


def test_the_published_key_is_an_okp_key_named_by_its_thumbprint() -> None:
    key = SigningKey.from_text(KEY)
    (published,) = jwks([key])["keys"]
    assert published["kid"] == key.kid == OKPKey.import_key({**published}).thumbprint()
    assert "d" not in published
    assert base64.urlsafe_b64decode(published["x"] + "=") == base64.b64decode(PUBLIC_KEY.removeprefix("whpk_"))


def test_a_signing_key_reads_back_from_its_seed_and_refuses_a_foreign_public_half() -> None:
    key = SigningKey.new()
    assert SigningKey(key.seed).kid == key.kid
    assert SigningKey.from_text("whsk_" + base64.b64encode(key.seed).decode()).kid == key.kid
    with pytest.raises(ValueError, match="does not belong"):
        SigningKey.from_text(base64.b64encode(key.seed + b"x" * 32).decode())
    with pytest.raises(ValueError, match="32"):
        SigningKey.from_text(base64.b64encode(b"short").decode())


def test_a_signing_key_does_not_print_its_seed() -> None:
    key = SigningKey.from_text(KEY)
    assert KEY[:10] not in repr(key) and key.kid in repr(key)
