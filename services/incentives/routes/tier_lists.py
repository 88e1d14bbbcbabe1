"""Tier lists over HTTP: publish, read as pages or files."""

import json
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal

from fastapi import Depends, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BeforeValidator, Field
from sqlmodel import Session

from services.incentives import rules
from services.incentives.actions.tiers import NewList, publish
from services.incentives.queries import tiers as queries
from services.incentives.queries.tiers import View
from services.incentives.routes.router import router
from services.incentives.tierfiles import CSV, CSV_ZH, MEDIA, NDJSON, digest_of, row_of
from shared.http import Body, Ctx, Me, Tx, content_tag, guarded, json_answer
from shared.paging import After, Limit, filters_of, page, position
from shared.problems import Forbidden

Period = Annotated[str, Path(pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])$", examples=["2026-05"])]
Version = Annotated[int | None, Query(ge=1, le=1_000_000)]
Mode = Annotated[
    Literal["PROSPECTIVE", "CALENDAR_YEAR", "RETRO_PREVIOUS_YEAR"],
    BeforeValidator(lambda given: given.upper() if isinstance(given, str) else given),
]
READ = "incentives:tier_lists:read"


class PublishTierList(Body):
    """The notice that a version rests on, how it is settled and since when it applies."""

    document_no: str = Field(min_length=1, max_length=100)
    settlement_mode: Mode
    effective_from: date = Field(ge=rules.FIRST_DAY, le=rules.LAST_DAY)


def seen_list(period: str, tx: Tx, me: Me, version: Version = None) -> View:
    """A version, for authorities, auditors and utilities; whether one is there is not told to anybody else."""
    if not (me.oversees or me.role == "utility"):
        raise Forbidden()
    return queries.view_of(tx, me, period, version)


Seen = Annotated[View, Depends(seen_list)]


@router.post(
    "/tier-lists/{period}/publish",
    status_code=201,
    dependencies=guarded(scope="incentives:tier_lists:decide", roles=rules.tier_policy().publishers, creating=True),
)
def publish_list(period: Period, body: PublishTierList, tx: Tx, me: Me) -> dict[str, Any]:
    """Freeze the next version of a month's list from what is known now."""
    list_ = publish(tx, NewList(period=period, published_by=me.client_id, **body.model_dump()))
    return queries.list_out(list_, list_.control_totals)


@router.get(
    "/tier-lists/{period}",
    responses={200: {"content": {media_type: {} for media_type in MEDIA.values()}}},
    dependencies=guarded(seen_list, scope=READ),
)
def read_list(
    request: Request,
    response: Response,
    view: Seen,
    tx: Tx,
    ctx: Ctx,
    headers: Annotated[Literal["zh", "en"], Query()] = "en",
    limit: Limit = 100,
    after: After = None,
) -> Response:
    """A version's rows: a JSON page, or the whole as NDJSON or CSV by `Accept`.

    In CSV an apostrophe leads a text that a spreadsheet would calculate; NDJSON has it as it is.
    """
    accept = request.headers.get("accept", "")
    if "application/x-ndjson" in accept or "text/csv" in accept:
        format_ = NDJSON if "application/x-ndjson" in accept else CSV_ZH if headers == "zh" else CSV
        if view.division:
            return _partial_file(request, tx, view, format_)
        tags = _tags(view.list.digests[format_], view.list.control_totals)
        tags |= {"Content-Length": str(view.list.sizes[format_])}
        if _has(request, tags["ETag"]):
            return Response(status_code=304, headers=_without_length(tags))
        return StreamingResponse(queries.pieces(ctx.db, view.list.id, format_), 200, tags, MEDIA[format_])
    rows = queries.entries(tx, view, position(after, filters_of(request), 1), limit)
    items = page(request, response, rows, limit, lambda row: [row.position], row_of)
    return _page(request, response, queries.list_out(view.list, queries.totals_of(tx, view)) | items)


@router.get("/tier-lists/{period}/unresolved", dependencies=guarded(seen_list, scope=READ))
def list_unresolved(
    request: Request, response: Response, view: Seen, tx: Tx, limit: Limit = 100, after: After = None
) -> Response:
    """The enterprises that could not be decided for this version and are not in it, with what is missing."""
    rows = queries.unresolved(tx, view, position(after, filters_of(request), 1), limit)
    items = page(
        request, response, rows, limit, lambda r: [r.uscc], lambda r: r.model_dump(include={"uscc", "name", "missing"})
    )
    return json_answer(
        request, {"period": view.list.period, "version": view.list.version, **items}, headers=_links(response)
    )


def _page(request: Request, response: Response, document: dict[str, Any]) -> Response:
    totals = {"X-Control-Totals": _compact(document["control_totals"]), "Vary": "Accept"}
    answer = json_answer(request, document, headers=totals | _links(response))
    if answer.status_code == 200:
        answer.headers["Content-Digest"] = digest_of(bytes(answer.body))
    return answer


def _partial_file(request: Request, tx: Session, view: View, format_: str) -> Response:
    content, writer = queries.partial(tx, view, format_)
    tags = _tags(digest_of(content), writer.totals.as_json()) | {"ETag": content_tag(content)}
    if _has(request, tags["ETag"]):
        return Response(status_code=304, headers=tags)
    return Response(content, 200, tags, MEDIA[format_])


def _tags(digest: str, totals: Mapping[str, Any]) -> dict[str, str]:
    """A frozen file's headers; its digest is also its strong tag."""
    return {
        "Content-Digest": digest,
        "ETag": f'"{digest.split(":")[1]}"',
        "X-Control-Totals": _compact(totals),
        "Cache-Control": "private, no-cache",
        "Vary": "Accept",
    }


def _has(request: Request, tag: str) -> bool:
    return tag in [given.strip().removeprefix("W/") for given in request.headers.get("if-none-match", "").split(",")]


def _without_length(tags: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in tags.items() if name != "Content-Length"}


def _links(response: Response) -> dict[str, str]:
    return {"Link": response.headers["Link"]} if "Link" in response.headers else {}


def _compact(totals: Mapping[str, Any]) -> str:
    return json.dumps(totals, separators=(",", ":"))
