"""python -m infra.grafana.make: write the dashboards; a test holds the committed files to this script."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "dashboards"
SOURCE = {"type": "prometheus", "uid": "prometheus"}


@dataclass(frozen=True)
class Panel:
    """A chart: title in both languages, unit, and its lines as (PromQL, legend)."""

    title: str
    unit: str
    lines: tuple[tuple[str, str], ...]
    threshold: float | None = None


FLOW = (
    Panel(
        "等待总线的事件 / Events that wait for the bus",
        "short",
        (("max by (service) (outbox_pending)", "{{service}}"),),
    ),
    Panel(
        "最早事件的等待时间 / Age of the oldest waiting event",
        "s",
        (("max by (service) (outbox_oldest_seconds)", "{{service}}"),),
        threshold=60,
    ),
    Panel(
        "送上总线 / Taken to the bus",
        "ops",
        (
            ("sum by (service) (rate(outbox_relayed_total[5m]))", "{{service}}"),
            ("sum by (service) (rate(outbox_relay_failures_total[5m]))", "{{service}} 失败 / refused"),
        ),
    ),
    Panel(
        "消费落后 / Consumer lag",
        "short",
        (("max by (service) (consumer_lag)", "{{service}}"),),
        threshold=1000,
    ),
    Panel(
        "已处理事件 / Events settled",
        "ops",
        (("sum by (service) (rate(consumer_settled_total[5m]))", "{{service}}"),),
    ),
    Panel(
        "搁置的事件 / Events set aside",
        "short",
        (
            ("max by (service) (dead_letters_set_aside)", "{{service}} 现有 / now"),
            ("sum by (service) (increase(dead_letters_total[1h]))", "{{service}} 一小时内 / in an hour"),
        ),
        threshold=1,
    ),
)
EDGE = (
    Panel("请求 / Requests", "reqps", (("sum by (service) (rate(http_requests_total[5m]))", "{{service}}"),)),
    Panel(
        "失败比例 / Share of failures",
        "percentunit",
        (
            (
                'sum by (service) (rate(http_requests_total{status=~"5.."}[5m]))'
                " / sum by (service) (rate(http_requests_total[5m]))",
                "{{service}}",
            ),
        ),
        threshold=0.02,
    ),
    Panel(
        "响应时间 p50 / p99 / Time to answer",
        "s",
        (
            (
                "histogram_quantile(0.50, sum by (le, service) (rate(http_request_seconds_bucket[5m])))",
                "{{service}} p50",
            ),
            (
                "histogram_quantile(0.99, sum by (le, service) (rate(http_request_seconds_bucket[5m])))",
                "{{service}} p99",
            ),
        ),
    ),
    Panel(
        "最慢的路径 p99 / Slowest routes",
        "s",
        (
            (
                "topk(10, histogram_quantile(0.99, sum by (le, route) (rate(http_request_seconds_bucket[15m]))))",
                "{{route}}",
            ),
        ),
    ),
)
OUTSIDE = (
    Panel(
        "推送结果 / Webhook attempts",
        "ops",
        (("sum by (outcome) (rate(webhook_deliveries_total[5m]))", "{{outcome}}"),),
    ),
    Panel(
        "最早到期推送的等待 / Age of the oldest due delivery",
        "s",
        (("max(webhook_oldest_due_seconds)", "等待 / waiting"),),
        threshold=300,
    ),
    Panel(
        "事件到接收方 / From the event to the receiver",
        "s",
        (
            ("histogram_quantile(0.50, sum by (le) (rate(webhook_delivery_age_seconds_bucket[15m])))", "p50"),
            ("histogram_quantile(0.95, sum by (le) (rate(webhook_delivery_age_seconds_bucket[15m])))", "p95"),
        ),
        threshold=30,
    ),
    Panel(
        "每日任务逾期 / Daily job overdue",
        "d",
        (("max by (service) (daily_job_overdue_days)", "{{service}}"),),
        threshold=1,
    ),
)
DASHBOARDS = {
    "events": ("事件流 / Flow of events", FLOW),
    "requests": ("请求 / Requests", EDGE),
    "outside": ("推送与每日任务 / Deliveries and daily jobs", OUTSIDE),
}


def dashboards() -> dict[Path, str]:
    """Every dashboard file and what it must hold."""
    return {
        FOLDER / f"{name}.json": json.dumps(_dashboard(name, title, panels), ensure_ascii=False, indent=2) + "\n"
        for name, (title, panels) in DASHBOARDS.items()
    }


def expressions() -> list[str]:
    """Every PromQL expression on a dashboard."""
    return [line for _, panels in DASHBOARDS.values() for panel in panels for line, _ in panel.lines]


def _dashboard(name: str, title: str, panels: tuple[Panel, ...]) -> dict[str, Any]:
    return {
        "uid": f"cleanprod-{name}",
        "title": title,
        "tags": ["cleanprod"],
        "schemaVersion": 39,
        "version": 1,
        "editable": False,
        "timezone": "Asia/Shanghai",
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "panels": [_panel(n, panel) for n, panel in enumerate(panels)],
    }


def _panel(number: int, panel: Panel) -> dict[str, Any]:
    defaults: dict[str, Any] = {"unit": panel.unit, "min": 0, "custom": {"fillOpacity": 10, "showPoints": "never"}}
    if panel.threshold is not None:
        steps = [{"color": "green", "value": None}, {"color": "red", "value": panel.threshold}]
        defaults["thresholds"] = {"mode": "absolute", "steps": steps}
        defaults["custom"]["thresholdsStyle"] = {"mode": "line"}
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": panel.title,
        "datasource": SOURCE,
        "gridPos": {"x": 12 * (number % 2), "y": 8 * (number // 2), "w": 12, "h": 8},
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": {"legend": {"displayMode": "table", "placement": "right", "calcs": ["lastNotNull", "max"]}},
        "targets": [
            {"refId": chr(65 + n), "datasource": SOURCE, "expr": line, "legendFormat": legend}
            for n, (line, legend) in enumerate(panel.lines)
        ],
    }


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for path, text in dashboards().items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
