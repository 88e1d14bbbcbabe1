"""API clients: make, give a new secret, end."""

import secrets
from dataclasses import dataclass

from sqlmodel import Session

from services.registry.actions.secrets import digest_of, new_secret
from services.registry.models import Client
from services.registry.rules.identity import client_faults
from shared.clock import utc_now
from shared.codes import normalise_uscc
from shared.problems import NotFound, Unprocessable


@dataclass(frozen=True)
class NewClient:
    """An organisation that shall be able to sign in."""

    role: str
    name: str
    jurisdiction: str = ""
    uscc: str = ""


def provide_client(tx: Session, pepper: bytes, new: NewClient, made_by: str = "") -> tuple[str, str]:
    """Make a client; returns its id and its secret, which is not kept. 422 where place or code do not fit the role."""
    uscc = normalise_uscc(new.uscc)
    faults = client_faults(new.role, new.jurisdiction, uscc)
    if faults:
        raise Unprocessable(faults[0].code, faults[0].text, faults=faults)
    secret = new_secret()
    client = Client(
        id=f"{new.role.replace('_', '-')}-{secrets.token_hex(8)}",
        role=new.role,
        name=new.name,
        jurisdiction=new.jurisdiction,
        uscc=uscc,
        secret_digest=digest_of(pepper, secret),
        made_by=made_by,
    )
    tx.add(client)
    tx.flush()
    return client.id, secret


def rotate_secret(pepper: bytes, client: Client) -> str:
    """A new secret; the old one ends now. Tokens already issued last their ten minutes."""
    secret = new_secret()
    client.rotate(digest_of(pepper, secret), utc_now())
    return secret


def revoke_client(client: Client) -> None:
    client.revoke(utc_now())


def get_client(tx: Session, client_id: str) -> Client:
    client = tx.get(Client, client_id, with_for_update=True) if "\x00" not in client_id else None
    if client is None:
        raise NotFound()
    return client
