"""Whatever is logged, through whichever logger: no secret leaves, and each line is JSON with its request."""

import json
import subprocess
import sys

SCRIPT = """
import logging, structlog
from shared import logs
from shared.tracing import caused_by
logs.setup("INFO")
log = structlog.get_logger("proof")
secrets = {secrets!r}
with caused_by("r-9", "", None):
    for secret in secrets:
        log.info("told", text=f"got {{secret}} here")
        log.info("nested", headers={{"Authorization": secret}}, list=[secret, (secret,)], raw=secret.encode())
        log.info("said " + secret, error=ValueError(secret))
        logging.getLogger("elsewhere").warning("plain %s", secret)
        try:
            raise RuntimeError(secret)
        except RuntimeError:
            log.exception("failed")
            logging.getLogger("elsewhere").exception("failed")
log.info("no request")
"""
TOKEN = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl"
SECRETS = [
    "whsec_C2FVsBQIhrscChlQIMV",
    "whsk_MC4CAQAwBQYDK2Vw",
    TOKEN,
    f"Bearer {TOKEN}",
    "bearer 0123456789abcdef",
    "Basic Y2xpZW50OnNlY3JldA==",
    "BASIC YWxhZGRpbjpvcGVu",
    "cps_0123456789abcdefghijklmn",
    "postgresql://role:pa55word-of-it@db.example/credit",
]
PARTS = ["C2FVsBQ", "MC4CAQAw", "c2lnbmF0dXJl", "0123456789abcdef", "Y2xpZW50", "YWxhZGRp", "pa55word"]


def test_no_secret_passes_and_each_line_names_its_request() -> None:
    script = SCRIPT.format(secrets=SECRETS)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert len(lines) == 6 * len(SECRETS) + 1
    assert {line.get("correlation_id") for line in lines[:-1]} == {"r-9"}
    assert "correlation_id" not in lines[-1]
    assert [part for part in PARTS if part in done.stderr] == []
    assert all(line["level"] and line["timestamp"] for line in lines)
