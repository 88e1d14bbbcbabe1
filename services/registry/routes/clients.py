"""HTTP: signing in, the signing keys, and the clients."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, Form, Header, Request, Response
from pydantic import BaseModel, Field

from services.registry.actions import clients, tokens
from services.registry.actions.secrets import pepper_of, signer_of
from services.registry.models import Client
from services.registry.queries import lists
from services.registry.routes.router import Line, OptionalLine, dated, place_after, plain, router
from shared.auth import TOKEN_SECONDS
from shared.clock import utc_now
from shared.http import Body, Ctx, Me, Tx, creates, json_answer, needs
from shared.paging import After, Limit, page

SCOPE = "registry:clients:write"


class MakeClient(Body):
    """An organisation that shall sign in: authorities and auditors by place, the others by USCC."""

    role: OptionalLine = Field(examples=["city_ecology"])
    name: Line = Field(examples=["株洲市生态环境局"])
    jurisdiction: OptionalLine | None = Field(None, examples=["4302"])
    uscc: OptionalLine | None = Field(None, examples=["91430200MA4QA0029A"])


class TokenOut(BaseModel):
    """An access token of ten minutes."""

    access_token: str
    token_type: str = Field(examples=["Bearer"])
    expires_in: int = Field(examples=[600])
    scope: str


class SecretOut(BaseModel):
    """A client's id and its secret, shown this once."""

    client_id: str
    client_secret: str


class ClientOut(BaseModel):
    """A client without its secret."""

    client_id: str
    role: str
    name: str
    jurisdiction: str
    uscc: str
    state: str
    made_at: datetime


@router.post("/oauth/token", response_model=TokenOut)
def issue_token(
    request: Request,
    tx: Tx,
    ctx: Ctx,
    grant_type: Annotated[str, Form()] = "",
    scope: Annotated[str, Form(max_length=4000)] = "",
    client_id: Annotated[str, Form(max_length=200)] = "",
    client_secret: Annotated[str, Form(max_length=200)] = "",
    authorization: Annotated[str, Header()] = "",
) -> Response:
    """An access token for a client's credentials (RFC 6749 §4.4): HTTP Basic, or id and secret in the form."""
    given = tokens.credentials_of(authorization, client_id, client_secret)
    client = tokens.authenticated(tx, pepper_of(ctx.settings), given)
    tokens.require_client_credentials(grant_type)
    caller = tokens.caller_of(client, scope)
    shown = {
        "access_token": signer_of(ctx.settings).issue(caller, utc_now().timestamp()),
        "token_type": "Bearer",
        "expires_in": TOKEN_SECONDS,
        "scope": " ".join(sorted(caller.scopes)),
    }
    return json_answer(request, shown, headers={"Cache-Control": "no-store", "Pragma": "no-cache"})


@router.get("/.well-known/jwks.json")
def read_signing_keys(request: Request, ctx: Ctx) -> Response:
    """The public keys of access tokens (RFC 7517)."""
    return json_answer(request, signer_of(ctx.settings).jwks(), headers={"Cache-Control": "public, max-age=300"})


@router.post("/clients", status_code=201, response_model=SecretOut, dependencies=[needs(SCOPE), creates])
def make_client(body: MakeClient, tx: Tx, me: Me, ctx: Ctx) -> Any:
    """Make a client of any role; its secret is in this answer and nowhere else."""
    new = clients.NewClient(body.role, body.name, body.jurisdiction or "", body.uscc or "")
    made, secret = clients.provide_client(tx, pepper_of(ctx.settings), new, me.client_id)
    return {"client_id": made, "client_secret": secret}


@router.get("/clients", dependencies=[needs(SCOPE)])
def list_clients(request: Request, response: Response, tx: Tx, limit: Limit = 100, after: After = None) -> Any:
    """The clients, without their secrets."""
    rows = lists.clients_after(tx, place_after(request, after, plain), limit + 1)
    return page(request, response, rows, limit, lambda row: [row.id], client_out)


def the_client(client_id: str, tx: Tx) -> Client:
    return clients.get_client(tx, client_id)


Known = Annotated[Client, Depends(the_client)]


@router.post("/clients/{client_id}/rotate-secret", response_model=SecretOut, dependencies=[needs(SCOPE)])
def rotate_secret(client: Known, ctx: Ctx) -> Any:
    """A new secret, shown once; the old one ends now."""
    return {"client_id": client.id, "client_secret": clients.rotate_secret(pepper_of(ctx.settings), client)}


@router.post("/clients/{client_id}/revoke", response_model=ClientOut, dependencies=[needs(SCOPE)])
def revoke_client(client: Known) -> Any:
    """End a client: it gets no more tokens; those it has last their ten minutes."""
    clients.revoke_client(client)
    return client_out(client)


def client_out(client: Client) -> dict[str, Any]:
    shown = client.model_dump(include={"role", "name", "jurisdiction", "uscc", "state", "made_at"})
    return dated({"client_id": client.id} | shown, ["made_at"])
