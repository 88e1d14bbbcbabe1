"""Every Prometheus metric of the platform; labels are route templates and names, never ids."""

from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Counter("http_requests_total", "Answers by route and status", ["service", "method", "route", "status"])
LATENCY = Histogram(
    "http_request_seconds",
    "Time to answer",
    ["service", "route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
OUTBOX_PENDING = Gauge("outbox_pending", "Events that wait for the bus", ["service"])
OUTBOX_OLDEST = Gauge("outbox_oldest_seconds", "Age of the oldest event that waits for the bus", ["service"])
RELAYED = Counter("outbox_relayed_total", "Events taken to the bus", ["service"])
RELAY_FAILURES = Counter("outbox_relay_failures_total", "Attempts to publish that the bus refused", ["service"])
CONSUMER_LAG = Gauge("consumer_lag", "Events on the bus that the service has not settled", ["service"])
CONSUMED = Counter("consumer_settled_total", "Events settled", ["service"])
DEAD_LETTERS = Counter("dead_letters_total", "Events set aside", ["service"])
DEAD_LETTERS_NOW = Gauge("dead_letters_set_aside", "Events that are set aside now", ["service"])
DELIVERIES = Counter("webhook_deliveries_total", "Webhook attempts by outcome", ["outcome"])
DELIVERY_AGE = Histogram(
    "webhook_delivery_age_seconds",
    "From the event to the receiver's 2xx",
    [],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 300, 3600, 86400),
)
DELIVERY_OLDEST = Gauge("webhook_oldest_due_seconds", "Age of the oldest delivery that is due", [])
DAILY_OVERDUE = Gauge("daily_job_overdue_days", "Legal days since the daily job last ran", ["service"])
