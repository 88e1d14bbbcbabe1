"""Access tokens by client credentials (RFC 6749 §4.4)."""

import base64
import hmac
from dataclasses import dataclass
from urllib.parse import unquote_plus

from sqlmodel import Session

from services.registry.actions.secrets import digest_of
from services.registry.models import Client
from services.registry.roles import scopes_of
from shared.auth import Caller
from shared.problems import BadRequest, Problem, Text, Unauthorized

NOBODY = b"\x00" * 32


@dataclass(frozen=True)
class Credentials:
    """What a client says it is."""

    client_id: str
    secret: str


def credentials_of(authorization: str, client_id: str, secret: str) -> Credentials | None:
    """From HTTP Basic (form-urlencoded inside, RFC 6749 §2.3.1), else from the form; None where neither is whole."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return Credentials(client_id, secret) if client_id and secret and not authorization else None
    try:
        name, colon, word = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except ValueError:
        return None
    return Credentials(unquote_plus(name), unquote_plus(word)) if colon else None


def authenticated(tx: Session, pepper: bytes, given: Credentials | None) -> Client:
    """The client whose secret this is; one answer for unknown, revoked and wrong, in the same time."""
    client = tx.get(Client, given.client_id) if given is not None and "\x00" not in given.client_id else None
    known = client.secret_digest if client is not None else NOBODY
    fits = hmac.compare_digest(digest_of(pepper, given.secret if given else ""), known)
    if client is None or not fits or client.state != "active":
        raise invalid_client()
    return client


def caller_of(client: Client, scope: str) -> Caller:
    """What the token says: the client, with its role's scopes or those of them that it asks for."""
    granted, asked = scopes_of(client.role), frozenset(scope.split())
    if not asked <= granted:
        raise _oauth("invalid_scope", Text("请求的 scope 超出授权范围。", "A scope was asked for that is not granted."))
    return Caller(client.id, client.role, client.name, client.jurisdiction, client.uscc, asked or granted)


def require_client_credentials(grant_type: str) -> None:
    if not grant_type:
        raise _oauth("invalid_request", Text("缺少 grant_type。", "grant_type is missing."))
    if grant_type != "client_credentials":
        text = Text("仅支持 client_credentials。", "Only client_credentials is supported.")
        raise _oauth("unsupported_grant_type", text)


def invalid_client() -> Problem:
    text = Text("客户端标识或密钥无效。", "The client id or its secret is not valid.")
    problem = Unauthorized("invalid_client", text, error="invalid_client", error_description=text.en)
    problem.headers.update({"WWW-Authenticate": 'Basic realm="cleanprod"', "Cache-Control": "no-store"})
    return problem


def _oauth(code: str, text: Text) -> Problem:
    problem = BadRequest(code, text, error=code, error_description=text.en)
    problem.headers["Cache-Control"] = "no-store"
    return problem
