"""Only a current access token of our issuer names a caller; forty forgeries do not."""

import base64
import hmac
import json
import time
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey

from shared.auth import AUDIENCE, CLOCKS_DIFFER, TOKEN_SECONDS, Caller, TokenSigner, TokenVerifier
from shared.problems import Unauthorized

ISSUER, NOW = "http://issuer.example", time.time()
OURS, THEIRS = ECKey.generate_key("P-256"), ECKey.generate_key("P-256")
WHO = Caller("client-1", "bank", "行", "", "91430100MA4QA00108", frozenset({"a:b:read"}))
SIGNER = TokenSigner(OURS, ISSUER)
VERIFIER = TokenVerifier.from_jwks(SIGNER.jwks(), ISSUER)
GOOD = SIGNER.issue(WHO, NOW)


def b64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def packed(part: Any) -> str:
    return b64(json.dumps(part).encode())


def opened(part: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=="))
    return found


HEAD, CLAIMS, SIGNATURE = GOOD.split(".")
HEADER, BODY = opened(HEAD), opened(CLAIMS)
PUBLIC_PEM = OURS.as_pem(private=False)


def signed(header: dict[str, Any] | None = None, key: ECKey = OURS, **claims: Any) -> str:
    """Signed with a real key: what a wrong issuer, or our own key for another purpose, could make."""
    content = {k: v for k, v in (BODY | claims).items() if v is not ...}
    head = {k: v for k, v in (HEADER | (header or {})).items() if v is not ...}
    text = f"{packed(head)}.{packed(content)}"
    r, s = decode_dss_signature(key.private_key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))  # type: ignore[union-attr]
    return f"{text}.{b64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def symmetric(secret: bytes, alg: str = "HS256") -> str:
    text = f"{packed(HEADER | {'alg': alg})}.{CLAIMS}"
    return f"{text}.{b64(hmac.new(secret, text.encode(), sha256).digest())}"


def with_rsa() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    text = f"{packed(HEADER | {'alg': 'RS256'})}.{CLAIMS}"
    return f"{text}.{b64(key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def flipped(part: str, at: int) -> str:
    return part[:at] + ("A" if part[at] != "A" else "B") + part[at + 1 :]


THEIR_JWK = THEIRS.as_dict(private=False)
FORGED = {
    "nothing": "",
    "a word": "token",
    "dots": "..",
    "four parts": f"{GOOD}.x",
    "five parts": f"{HEAD}.{CLAIMS}.{SIGNATURE}.x.y",
    "spaces": " . . ",
    "chinese": "令牌.令牌.令牌",
    "nul": "\0.\0.\0",
    "not base64": "!!!.???.***",
    "huge": "a" * 100_000,
    "deep header": f"{b64(b'[' * 5000)}.{CLAIMS}.{SIGNATURE}",
    "deep claims": f"{HEAD}.{b64(b'[' * 5000)}.{SIGNATURE}",
    "header is a list": f"{packed([])}.{CLAIMS}.{SIGNATURE}",
    "header is null": f"{packed(None)}.{CLAIMS}.{SIGNATURE}",
    "header is a number": f"{packed(7)}.{CLAIMS}.{SIGNATURE}",
    "alg missing": f"{packed({'typ': 'at+jwt'})}.{CLAIMS}.{SIGNATURE}",
    "alg none": f"{packed(HEADER | {'alg': 'none'})}.{CLAIMS}.",
    "alg None": f"{packed(HEADER | {'alg': 'None'})}.{CLAIMS}.",
    "alg none with signature": f"{packed(HEADER | {'alg': 'none'})}.{CLAIMS}.{SIGNATURE}",
    "alg is a list": f"{packed(HEADER | {'alg': ['ES256']})}.{CLAIMS}.{SIGNATURE}",
    "public key as secret": symmetric(PUBLIC_PEM),
    "public key as secret, trimmed": symmetric(PUBLIC_PEM.strip()),
    "jwk as secret": symmetric(json.dumps(OURS.as_dict(private=False)).encode()),
    "empty secret": symmetric(b""),
    "HS512 in name": symmetric(PUBLIC_PEM, "HS512"),
    "RS256": with_rsa(),
    "another key": signed(key=THEIRS),
    "another key that calls itself ours": signed({"kid": HEADER["kid"]}, THEIRS),
    "key in the header": signed({"jwk": THEIR_JWK}, THEIRS),
    "key at an address": signed({"jku": "http://evil.example/jwks"}, THEIRS),
    "unknown kid": signed({"kid": "../../etc/passwd"}),
    "unknown critical header": signed({"crit": ["exp"], "exp": 1}),
    "signature cut": f"{HEAD}.{CLAIMS}.{SIGNATURE[:-4]}",
    "signature missing": f"{HEAD}.{CLAIMS}.",
    "signature of zeros": f"{HEAD}.{CLAIMS}.{b64(bytes(64))}",
    "signature of another token": f"{HEAD}.{CLAIMS}.{signed(jti='x').split('.')[2]}",
    "claims altered": f"{HEAD}.{packed(BODY | {'role': 'auditor'})}.{SIGNATURE}",
    "claims flipped": f"{HEAD}.{flipped(CLAIMS, 20)}.{SIGNATURE}",
    "header flipped": f"{flipped(HEAD, 10)}.{CLAIMS}.{SIGNATURE}",
    "expired": signed(exp=int(NOW) - 1),
    "expires now": signed(exp=int(NOW)),
    "no expiry": signed(exp=...),
    "expiry is text": signed(exp=str(int(NOW) + 600)),
    "expiry is true": signed(exp=True),
    "expiry is null": signed(exp=None),
    "issued in the future": signed(iat=int(NOW) + 3600),
    "not issued": signed(iat=...),
    "issued as text": signed(iat=str(int(NOW))),
    "issued is true": signed(iat=True),
    "issued is null": signed(iat=None),
    "issued is a fraction": signed(iat=NOW - 1.5),
    "issued is beyond numbers": signed(iat=10**400),
    "another issuer": signed(iss="http://evil.example"),
    "issuer with a slash": signed(iss=ISSUER + "/"),
    "no issuer": signed(iss=...),
    "another audience": signed(aud="other"),
    "audience among others": signed(aud=[AUDIENCE, "other"]),
    "no audience": signed(aud=...),
    "id token": signed({"typ": "JWT"}),
    "no type": signed({"typ": ...}),
    "unknown role": signed(role="root"),
    "no role": signed(role=...),
    "no subject": signed(sub=...),
    "authority of no place": signed(role="county_ecology", jurisdiction=""),
    "auditor without a place": signed(role="auditor", jurisdiction=...),
}


def test_the_genuine_token_names_its_caller() -> None:
    assert VERIFIER.caller(GOOD, NOW) == WHO
    assert VERIFIER.caller(signed(), NOW) == WHO
    assert VERIFIER.caller(signed(iat=-(10**400), exp=10**400), NOW) == WHO, "no number is too large to compare"


def test_there_are_at_least_forty_forgeries() -> None:
    assert len(set(FORGED.values())) == len(FORGED) >= 40


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_token_is_refused(name: str) -> None:
    for _ in range(2):
        with pytest.raises(Unauthorized) as refused:
            VERIFIER.caller(FORGED[name], NOW)
        assert refused.value.code == "token_invalid"


@given(at=st.integers(0, len(GOOD) - 2), letter=st.characters(codec="latin-1"))
def test_a_token_with_one_other_letter_is_refused(at: int, letter: str) -> None:
    other = GOOD[:at] + letter + GOOD[at + 1 :]
    if other != GOOD:
        with pytest.raises(Unauthorized):
            VERIFIER.caller(other, NOW)


@given(st.text(max_size=60))
def test_any_text_is_refused_and_breaks_nothing(text: str) -> None:
    for token in (text, f"{HEAD}.{CLAIMS}.{text}", f"{b64(text.encode('utf-8', 'ignore'))}.{CLAIMS}.{SIGNATURE}"):
        with pytest.raises(Unauthorized):
            VERIFIER.caller(token, NOW)


def test_a_remembered_token_is_not_remembered_beyond_its_expiry() -> None:
    verifier = TokenVerifier.from_jwks(SIGNER.jwks(), ISSUER)
    assert verifier.caller(GOOD, NOW) == WHO
    assert verifier.caller(GOOD, int(NOW) + TOKEN_SECONDS - 0.01) == WHO
    for late in (0, 1, 10**6):
        with pytest.raises(Unauthorized):
            verifier.caller(GOOD, int(NOW) + TOKEN_SECONDS + late)


def test_an_issuer_whose_clock_is_a_little_ahead_is_believed_and_no_more() -> None:
    assert VERIFIER.caller(signed(iat=int(NOW) + CLOCKS_DIFFER), int(NOW)) == WHO
    with pytest.raises(Unauthorized):
        VERIFIER.caller(signed(iat=int(NOW) + CLOCKS_DIFFER + 1), int(NOW))


def test_a_clock_that_jumps_refuses_what_is_remembered_too() -> None:
    verifier = TokenVerifier.from_jwks(SIGNER.jwks(), ISSUER)
    assert verifier.caller(GOOD, NOW) == WHO
    for hour in (-3600, 3600):
        with pytest.raises(Unauthorized):
            verifier.caller(GOOD, NOW + hour)
    assert verifier.caller(GOOD, NOW) == WHO, "and knows it again when the clock is right"


def test_what_is_remembered_has_a_limit() -> None:
    verifier = TokenVerifier.from_jwks(SIGNER.jwks(), ISSUER)
    verifier._known = {f"t{n}": (NOW - 1, replace(WHO, expires=NOW + 1)) for n in range(10_001)}
    assert verifier.caller(GOOD, NOW) == WHO
    assert len(verifier._known) <= 10_001


@pytest.mark.parametrize(
    ("role", "jurisdiction", "division", "covers"),
    [
        ("provincial_ecology", "43", "430202", True),
        ("city_ecology", "4302", "430202", True),
        ("city_ecology", "4302", "430302", False),
        ("county_industry", "430202", "430202", True),
        ("county_industry", "430202", "430203", False),
        ("auditor", "43", "430202", True),
        ("city_ecology", "", "430202", False),
        ("bank", "43", "430202", False),
        ("enterprise", "4302", "430202", False),
        ("provincial_ecology", "43", "440305", False),
        ("provincial_ecology", "43", "", False),
    ],
)
def test_a_caller_covers_what_lies_in_its_jurisdiction(role: str, jurisdiction: str, division: str, covers: bool) -> None:
    assert Caller("c", role, "n", jurisdiction, "", frozenset()).covers(division) is covers


def test_a_scope_is_held_whole_or_not_at_all() -> None:
    assert WHO.may("a:b:read")
    assert not any(WHO.may(scope) for scope in ("a:b", "a:b:write", "", "a:b:read "))
