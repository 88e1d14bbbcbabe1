"""The AsyncAPI document: every event that leaves the platform, who may see it, its shape and an example."""

import json
from typing import Any

from infra import contracts
from shared.events import Audience, Envelope, Event, load_catalogue

AUDIENCES = {
    Audience.PUBLIC: "任何人 / anybody with a token",
    Audience.PARTIES: "辖区主管部门、该企业、持有其同意书的银行 / authorities of the jurisdiction, the enterprise, a bank with its consent",
    Audience.DECISION: "同上；电价类给电网企业而不给银行 / the same; tariff programmes go to the utility and not to banks",
    Audience.UTILITY: "电网企业与主管部门 / utilities and authorities",
    Audience.ENTERPRISE_ECOLOGY: "该企业与辖区生态环境部门 / the enterprise and the ecology authorities of its jurisdiction",
    Audience.CONSENT: "同意书双方 / the two parties of the consent",
}
CHANNELS: dict[str, dict[str, Any]] = {
    "webhook": {
        "address": None,
        "title": "推送 / Webhook",
        "description": "向订阅的地址 POST；签名头 webhook-id、webhook-timestamp、webhook-signature；任何 2xx 即成功。"
        "接收端验证代码：/docs/verify_webhook.py。 / "
        "A POST to the subscribed address, with webhook-id, webhook-timestamp and webhook-signature; any 2xx is success. "
        "Code that checks it, to copy: /docs/verify_webhook.py.",
    },
    "feed": {
        "address": "/notifications/v1/events",
        "title": "事件流 / Feed",
        "description": "按游标读取，wait 长轮询；/events/stream 为服务器推送（SSE）。 / "
        "Read by cursor, with wait as a long poll; /events/stream is the same as server-sent events.",
    },
}


def outward() -> dict[str, type[Event]]:
    """The events that leave the platform, by type."""
    return {name: kind for name, kind in sorted(load_catalogue().items()) if kind.audience is not Audience.INTERNAL}


def document() -> dict[str, Any]:
    """The AsyncAPI 3.0.0 document."""
    kinds = outward()
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "湖南工业清洁生产平台事件 / Events of the Hunan clean-production platform",
            "version": "1",
            "description": "CloudEvents 1.0，结构化 JSON；各通道、各次投递内容逐字节相同；同一 id 只应处理一次。 / CloudEvents 1.0 in"
            " structured JSON, the same bytes on every channel and attempt; handle each id once.",
        },
        "defaultContentType": "application/cloudevents+json",
        "channels": {
            name: given | {"messages": {kind: {"$ref": f"#/components/messages/{kind}"} for kind in kinds}}
            for name, given in CHANNELS.items()
        },
        "operations": {
            f"send_{name}": {
                "action": "send",
                "channel": {"$ref": f"#/channels/{name}"},
                "summary": str(given["title"]),
                "messages": [{"$ref": f"#/channels/{name}/messages/{kind}"} for kind in kinds],
            }
            for name, given in CHANNELS.items()
        },
        "components": {"messages": {name: _message(kind) for name, kind in kinds.items()}},
    }


def _message(kind: type[Event]) -> dict[str, Any]:
    envelope = Envelope.model_validate_json(contracts.example_of(kind))
    return {
        "name": kind.type,
        "title": kind.__name__,
        "summary": (kind.__doc__ or "").strip(),
        "description": f"可见范围 / audience: {AUDIENCES[kind.audience]}",
        "contentType": "application/cloudevents+json",
        "x-audience": kind.audience.value,
        "x-channels": list(CHANNELS),
        "payload": _payload(kind),
        "examples": [{"name": kind.__name__, "payload": json.loads(envelope.cloud_event())}],
    }


def _payload(kind: type[Event]) -> dict[str, Any]:
    """The shape of the CloudEvent; what is internal to the platform is not in it."""
    data = kind.model_json_schema(
        ref_template=f"#/components/messages/{kind.type}/payload/properties/data/$defs/{{model}}"
    )
    for name in kind.internal_fields():
        data["properties"].pop(name, None)
        data["required"] = [field for field in data.get("required", []) if field != name]
    text = {"type": "string"}
    return {
        "type": "object",
        "required": ["specversion", "id", "source", "type", "subject", "time", "datacontenttype", "data"],
        "properties": {
            "specversion": {"const": "1.0"},
            "id": {"type": "string", "format": "uuid", "description": "= webhook-id"},
            "source": {"const": kind.type.split(".")[0]},
            "type": {"const": kind.type},
            "subject": text | {"description": f"= data.{kind.subject_field}"},
            "time": {"type": "string", "format": "date-time"},
            "datacontenttype": {"const": "application/json"},
            "traceparent": text,
            "correlationid": text,
            "data": data,
        },
    }
