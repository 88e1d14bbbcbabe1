"""Idempotency keys: the same key has one effect, and its answer is stored in the transaction of that effect."""

import hashlib
from dataclasses import dataclass

import sqlalchemy as sa
from fastapi import Request, Response
from sqlmodel import Session

from shared.messaging.tables import IdempotencyRow
from shared.problems import Text, Unprocessable
from shared.sealing import Sealer

KEPT_HEADERS = ("location", "etag", "retry-after", "content-type")

_CLAIM = sa.text(
    "INSERT INTO idempotency (client_id, key, request_hash) VALUES (:client, :key, :hash) ON CONFLICT DO NOTHING RETURNING key"
)


@dataclass(frozen=True)
class Claim:
    """A key that this request holds, or the answer that an earlier request with it got."""

    client: str = ""
    key: str = ""
    answer: Response | None = None


def fingerprint(request: Request, body: bytes) -> str:
    """What makes two requests the same: method, path, query and body (a multipart boundary is not content)."""
    kind = request.headers.get("content-type", "")
    if "boundary=" in kind:
        boundary = kind.split("boundary=", 1)[1].split(";")[0].strip('" ')
        body = body.replace(boundary.encode(), b"--")
    target = f"{request.method} {request.url.path}?{request.url.query}\n".encode()
    return hashlib.sha256(target + body).hexdigest()


def claim(tx: Session, sealer: Sealer, client: str, key: str, request_hash: str) -> Claim:
    """Take the key; a twin waits here until the first has ended, then gets its stored answer.

    Raises `idempotency_key_reused` (422) when the key came with another body before.
    """
    values = {"client": client, "key": key, "hash": request_hash}
    if tx.execute(_CLAIM, values).first() is not None:
        return Claim(client, key)
    stored = tx.get_one(IdempotencyRow, (client, key))
    if stored.request_hash != request_hash:
        raise Unprocessable(
            "idempotency_key_reused",
            Text(
                "同一 Idempotency-Key 已用于内容不同的请求。", "This Idempotency-Key came with another request before."
            ),
        )
    body = sealer.open(stored.body or b"", f"idempotency/{client}/{key}")
    headers = dict(stored.headers or {}) | {"Idempotency-Replayed": "true"}
    return Claim(answer=Response(body, stored.status or 200, headers))


def remember(tx: Session, sealer: Sealer, given: Claim, response: Response) -> None:
    """Keep the answer beside the effect."""
    tx.flush()
    row = tx.get_one(IdempotencyRow, (given.client, given.key))
    row.status = response.status_code
    row.headers = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
    row.body = sealer.seal(bytes(response.body), f"idempotency/{given.client}/{given.key}")
    tx.flush()
