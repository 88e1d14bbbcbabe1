"""Programmes and their rules, for anybody to read."""

import re
from typing import Any

from fastapi import Request, Response

from services.incentives import rules
from services.incentives.engine import render_html, render_json
from services.incentives.routes.router import router
from shared.http import Ctx, content_tag, json_answer, needs
from shared.problems import NotFound

VERSION = re.compile("[0-9]{1,9}")  # anything else names no version: 404
READ = needs("incentives:programmes:read")


@router.get("/programmes", dependencies=[READ])
def list_programmes(request: Request, ctx: Ctx) -> Response:
    """What an enterprise may get or must pay, with the rules in force today."""
    today, sets = ctx.clock.today(), rules.rule_sets()
    items: list[dict[str, Any]] = []
    for programme in sets.programmes.values():
        rule_set = sets.rule_set_on(programme.id, today)
        named = {"id": rule_set.id, "version": rule_set.version, "hash": rule_set.hash}
        title = {"zh": programme.title.zh, "en": programme.title.en}
        owner = {"kind": programme.kind, "title": title, "owner": programme.owner}
        items.append({"id": programme.id, **owner, "rule_set": named})
    return json_answer(request, {"items": items, "next": None})


@router.get("/rule-sets/{rule_set_id}/versions/{version}", dependencies=[READ])
def read_rule_set(rule_set_id: str, version: str, request: Request) -> Response:
    """A version of a rule set as JSON, or as a page with a table where `Accept` asks for text/html."""
    found = rules.rule_sets().version(rule_set_id, int(version)) if VERSION.fullmatch(version) else None
    if found is None:
        raise NotFound()
    if "text/html" in request.headers.get("accept", ""):
        page = render_html(found, request.state.language).encode()
        return Response(page, headers={"ETag": content_tag(page), "Vary": "Accept"}, media_type="text/html")
    return json_answer(request, render_json(found), headers={"Vary": "Accept"})
