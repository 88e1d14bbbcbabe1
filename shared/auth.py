"""Who calls: ES256 access tokens, and what their holder may see."""

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet

from shared.keyfiles import Watched, pem_blocks
from shared.problems import Text, Unauthorized

AUDIENCE = "cleanprod"
TOKEN_SECONDS = 600
CLOCKS_DIFFER = 60  # how far the issuer's clock may be ahead of ours

ECOLOGY = frozenset({"provincial_ecology", "city_ecology", "county_ecology"})
INDUSTRY = frozenset({"provincial_industry", "city_industry", "county_industry"})
AUTHORITIES = ECOLOGY | INDUSTRY
PROVINCIAL = frozenset({"provincial_ecology", "provincial_industry"})
ROLES = AUTHORITIES | {
    "enterprise",
    "park",
    "institution",
    "expert",
    "bank",
    "utility",
    "subscriber",
    "auditor",
    "public",
}


@dataclass(frozen=True)
class Caller:
    """The organisation behind a request: its role, and a jurisdiction (GB/T 2260 prefix) or a USCC."""

    client_id: str
    role: str
    name: str
    jurisdiction: str
    uscc: str
    scopes: frozenset[str]
    expires: float = field(default=math.inf, compare=False)  # of the token, in Unix seconds

    @property
    def is_authority(self) -> bool:
        return self.role in AUTHORITIES

    @property
    def is_ecology(self) -> bool:
        return self.role in ECOLOGY

    @property
    def oversees(self) -> bool:
        """Authorities and auditors: they see what lies in their jurisdiction."""
        return self.role in AUTHORITIES or self.role == "auditor"

    def covers(self, division: str) -> bool:
        """Whether a county-level division lies in the caller's jurisdiction."""
        return self.oversees and bool(self.jurisdiction) and division.startswith(self.jurisdiction)

    def may(self, scope: str) -> bool:
        return scope in self.scopes


class TokenSigner:
    """Issues access tokens (RFC 9068, `at+jwt`) with the registry's P-256 key; publishes the one before it too."""

    def __init__(self, key: ECKey, issuer: str, *before: ECKey) -> None:
        self._key, self._issuer, self._keys = key, issuer, (key, *before)

    @classmethod
    def from_file(cls, path: Path, issuer: str) -> "TokenSigner":
        return cls.from_text(path.read_text(), issuer)

    @classmethod
    def from_text(cls, text: str, issuer: str) -> "TokenSigner":
        """Of a PEM file, the key in use first."""
        first, *before = (ECKey.import_key(block) for block in pem_blocks(text))
        return cls(first, issuer, *before)

    def issue(self, caller: Caller, now: float) -> str:
        claims = {
            "iss": self._issuer,
            "aud": AUDIENCE,
            "sub": caller.client_id,
            "client_id": caller.client_id,
            "iat": int(now),
            "exp": int(now) + TOKEN_SECONDS,
            "jti": f"{caller.client_id}-{time.time_ns()}",
            "role": caller.role,
            "name": caller.name,
            "jurisdiction": caller.jurisdiction,
            "uscc": caller.uscc,
            "scope": " ".join(sorted(caller.scopes)),
        }
        header = {"alg": "ES256", "typ": "at+jwt", "kid": self._key.thumbprint()}
        return jwt.encode(header, claims, self._key, algorithms=["ES256"])

    def jwks(self) -> dict[str, Any]:
        return {"keys": [_public(key) for key in self._keys]}


def _public(key: ECKey) -> dict[str, Any]:
    return dict(key.as_dict(private=False)) | {"kid": key.thumbprint(), "alg": "ES256", "use": "sig"}


class TokenVerifier:
    """Checks tokens against the issuer's public keys; verified ones are remembered until they expire."""

    def __init__(self, keys: Callable[[], KeySet], issuer: str) -> None:
        self._keys, self._issuer = keys, issuer
        self._known: dict[str, tuple[float, Caller]] = {}

    @classmethod
    def from_jwks(cls, jwks: Any, issuer: str) -> "TokenVerifier":
        keys = KeySet.import_key_set(jwks)
        return cls(lambda: keys, issuer)

    @classmethod
    def from_file(cls, path: Path, issuer: str) -> "TokenVerifier":
        """Of a JWKS file that may be replaced: a rotation of the registry's key needs no restart."""
        return cls(Watched(path, lambda text: KeySet.import_key_set(json.loads(text))).get, issuer)

    def caller(self, token: str, now: float) -> Caller:
        """The token's holder; raises `Unauthorized` for anything that is not a valid, current access token."""
        known = self._known.get(token)
        if known is not None and known[0] <= now < known[1].expires:
            return known[1]
        valid_from, caller = self._verify(token, now)
        if len(self._known) > 10_000:
            self._known = {t: k for t, k in self._known.items() if k[1].expires > now}
            if len(self._known) > 10_000:
                self._known = {}
        self._known[token] = (valid_from, caller)
        return caller

    def _verify(self, token: str, now: float) -> tuple[float, Caller]:
        try:
            decoded = jwt.decode(token, self._keys(), algorithms=["ES256"])
        except (JoseError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            raise _invalid() from error
        claims, issued, expires = decoded.claims, decoded.claims.get("iat"), decoded.claims.get("exp")
        if decoded.header.get("typ") != "at+jwt" or claims.get("iss") != self._issuer or claims.get("aud") != AUDIENCE:
            raise _invalid()
        if type(issued) is not int or issued - CLOCKS_DIFFER > now or type(expires) is not int or expires <= now:
            raise _invalid()
        if claims.get("role") not in ROLES or not claims.get("sub"):
            raise _invalid()
        caller = _caller(claims, expires)
        if caller.oversees and not caller.jurisdiction:
            raise _invalid()  # every place begins with no place: it would see the whole province
        return issued - CLOCKS_DIFFER, caller


def _caller(claims: dict[str, Any], expires: float) -> Caller:
    return Caller(
        client_id=str(claims["sub"]),
        role=str(claims["role"]),
        name=str(claims.get("name", "")),
        jurisdiction=str(claims.get("jurisdiction", "")),
        uscc=str(claims.get("uscc", "")),
        scopes=frozenset(str(claims.get("scope", "")).split()),
        expires=expires,
    )


def _invalid() -> Unauthorized:
    problem = Unauthorized(
        "token_invalid", Text("访问令牌缺失、过期或无效。", "The access token is missing, expired or not valid.")
    )
    problem.headers["WWW-Authenticate"] = 'Bearer error="invalid_token"'
    return problem


def missing_token() -> Unauthorized:
    problem = Unauthorized("token_missing", Text("请求未携带访问令牌。", "The request carries no access token."))
    problem.headers["WWW-Authenticate"] = "Bearer"
    return problem
