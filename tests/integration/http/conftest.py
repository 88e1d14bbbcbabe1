"""The edge over a service for tests, with callers that have its scopes."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from shared.app import Edge, create_app
from shared.auth import Caller, TokenSigner
from shared.clock import Clock
from shared.db import Database
from shared.run import verifier_for
from shared.sealing import Sealer
from shared.service import Context
from shared.settings import Settings
from tests.conftest import ISSUER, Api, Cluster
from tests.integration.http.proof import proof_service
from tests.integration.messaging.conftest import _copy, admin, db, owner, urls

__all__ = ["_copy", "admin", "db", "owner", "urls"]
ME = Caller("me", "city_ecology", "我", "4302", "", frozenset({"proof:read", "proof:write"}))


@pytest.fixture
def settings(cluster: Cluster) -> Settings:
    return Settings(CLEANPROD_SECRETS=cluster.home.secrets, CLEANPROD_ISSUER=ISSUER)


@pytest.fixture
def sealer(settings: Settings) -> Sealer:
    return Sealer.from_file(settings.secrets / "sealing.key")


@pytest.fixture
def edge(db: Database, settings: Settings, sealer: Sealer) -> Edge:
    context = Context(db, Clock(), sealer, settings)
    return create_app([proof_service()], {"proof": context}, verifier_for(settings))


@pytest.fixture
def signer(settings: Settings) -> TokenSigner:
    return TokenSigner.from_file(settings.secrets / "token_key.pem", ISSUER)


As = Callable[..., Api]


@pytest.fixture
def as_client(edge: Edge, signer: TokenSigner) -> Iterator[As]:
    """`as_client("other")`: a caller with that client id; changes of the caller as keywords."""
    with TestClient(edge, raise_server_exceptions=False) as client:

        def make(client_id: str = "me", **changes: object) -> Api:
            caller = replace(ME, client_id=client_id, **changes)  # type: ignore[arg-type]
            return Api(client, signer.issue(caller, time.time()))

        yield make


@pytest.fixture
def me(as_client: As) -> Api:
    return as_client()


@pytest.fixture
def nobody(edge: Edge) -> Api:
    return Api(TestClient(edge, raise_server_exceptions=False), None)
