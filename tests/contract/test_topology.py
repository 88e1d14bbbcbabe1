"""docker-compose.yml, the image, the gateway, the alerts and the dashboards agree with the code."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from prometheus_client import REGISTRY

from infra import secrets as secret_files
from infra.grafana import make as grafana
from infra.parts import SERVICES
from shared import metrics
from shared.events import PRODUCERS
from tests.topology import ROOT, Topology

TOPOLOGY = Topology()
CONTAINERS = TOPOLOGY.services
NAMES = [service.name for service in SERVICES]
ALERTS = yaml.safe_load((ROOT / "infra/prometheus/alerts.yml").read_text(encoding="utf-8"))
RULES = [rule for group in ALERTS["groups"] for rule in group["rules"]]
ONCE = {"provide", "topics", *(f"{name}-migrate" for name in NAMES)}


def tool(name: str) -> str:
    """A program of infra/tools.sh; missing it is a failure in CI, and said aloud elsewhere."""
    path = ROOT / ".cache" / "tools" / ("usr/sbin" if name == "nginx" else "usr/bin") / name
    if not path.exists():
        done = subprocess.run([str(ROOT / "infra/tools.sh")], capture_output=True, text=True)
        if done.returncode and os.environ.get("CI"):
            pytest.fail(done.stderr)
        if done.returncode:
            pytest.skip(f"{name}: {done.stderr.strip()}")  # a machine without apt: said in the summary
    return str(path)


def passes(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def beside_python(name: str) -> str:
    return str(Path(sys.executable).parent / name)


def test_the_compose_file_keeps_to_the_specification() -> None:
    passes(beside_python("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", "docker-compose.yml")


def test_the_dockerfile_has_no_known_mistake() -> None:
    passes(beside_python("hadolint"), "infra/Dockerfile")


def test_the_image_gets_every_package_of_ours_and_the_locked_requirements() -> None:
    text = (ROOT / "infra/Dockerfile").read_text()
    for folder in ("shared", "services", "infra"):
        assert f"COPY {folder} " in text
    assert "--require-hashes" in text
    assert "USER 10001:10001" in text


@pytest.mark.parametrize("name", NAMES)
def test_every_service_has_its_three_roles(name: str) -> None:
    for role in ("migrate", "api", "worker"):
        assert CONTAINERS[f"{name}-{role}"]["command"] == ["python", "-m", f"services.{name}", role]


def test_no_service_is_left_over() -> None:
    ours = {f"{name}-{role}" for name in NAMES for role in ("migrate", "api", "worker")}
    others = {"gateway", "documents", "postgres", "kafka", "provide", "topics", "prometheus", "grafana"}
    assert set(CONTAINERS) == ours | others


@pytest.mark.parametrize("name", sorted(CONTAINERS))
def test_every_container_is_confined(name: str) -> None:
    given = CONTAINERS[name]
    assert given["user"].split(":")[0] not in ("0", "root"), "not as root"
    assert given["read_only"] is True
    assert given["cap_drop"] == ["ALL"]
    assert given["security_opt"] == ["no-new-privileges:true"]
    assert any(mount.startswith("/tmp:size=") for mount in given["tmpfs"])
    limits = given["deploy"]["resources"]["limits"]
    assert set(limits) == {"cpus", "memory", "pids"}
    assert "stop_grace_period" in given
    assert not given.get("privileged") and not given.get("cap_add")


@pytest.mark.parametrize("name", sorted(set(CONTAINERS) - ONCE))
def test_every_lasting_container_is_asked_for_its_health_and_started_again(name: str) -> None:
    given = CONTAINERS[name]
    assert given["restart"] == "unless-stopped"
    assert {"test", "interval", "timeout", "retries"} <= set(given["healthcheck"])


@pytest.mark.parametrize("name", sorted(ONCE))
def test_a_one_shot_is_not_started_again(name: str) -> None:
    assert CONTAINERS[name]["restart"] == "no"
    assert CONTAINERS[name]["healthcheck"] == {"disable": True}


@pytest.mark.parametrize("name", sorted(CONTAINERS))
def test_every_image_is_pinned(name: str) -> None:
    image, _, tag = CONTAINERS[name]["image"].rpartition(":")
    assert image
    assert re.match(r"v?\d", tag), tag


@pytest.mark.parametrize("name", sorted(CONTAINERS))
def test_everything_that_a_container_names_exists(name: str) -> None:
    given, document = CONTAINERS[name], TOPOLOGY.document
    for other, wanted in given.get("depends_on", {}).items():
        condition = "service_completed_successfully" if other in ONCE else "service_healthy"
        assert wanted == {"condition": condition}, other
        assert other in CONTAINERS
    assert set(given["networks"]) <= set(document["networks"])
    if given.get("secrets"):
        assert set(TOPOLOGY.secrets(name).values()) <= set(document["secrets"])
    for volume in given.get("volumes", []):
        source = volume.split(":")[0]
        assert (ROOT / source).exists() if source.startswith(".") else source in document["volumes"], source


def test_the_secrets_that_are_named_are_the_files_that_are_made(tmp_path: Path) -> None:
    made = {path.name for path in secret_files.make(tmp_path / "secrets", "http://127.0.0.1:8080")}
    assert made == set(TOPOLOGY.document["secrets"])


def test_making_secrets_again_changes_none_and_none_is_readable_by_others(tmp_path: Path) -> None:
    files = secret_files.make(tmp_path / "secrets", "http://127.0.0.1:8080")
    before = {path: path.read_bytes() for path in files}
    assert {path: path.read_bytes() for path in secret_files.make(tmp_path / "secrets", "http://x")} == before
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}


@pytest.mark.parametrize("name", NAMES)
def test_a_service_sees_its_own_database_password_and_no_other(name: str) -> None:
    for role in ("api", "worker"):
        assert TOPOLOGY.secrets(f"{name}-{role}")["pgpass"] == f"pgpass_{name}"
    assert TOPOLOGY.secrets(f"{name}-migrate") == {"pgpass": f"pgpass_{name}_migrate"}
    signing = {s for c in CONTAINERS if CONTAINERS[c].get("secrets") for s in TOPOLOGY.secrets(c).values()}
    assert "token_key.pem" in signing
    holders = [c for c in CONTAINERS if CONTAINERS[c].get("secrets") and "token_key.pem" in TOPOLOGY.secrets(c)]
    assert holders == ["registry-api"]


def test_no_environment_holds_a_password() -> None:
    for name in CONTAINERS:
        for variable, value in TOPOLOGY.environment(name).items():
            assert not re.search(r"://[^/@]*:[^/@]+@", value), (name, variable)
            assert "PASSWORD" not in variable or variable.endswith("_FILE"), (name, variable)


def test_only_the_webhook_worker_and_published_ports_touch_the_outside() -> None:
    document = TOPOLOGY.document
    outward = {network for network, given in document["networks"].items() if not given.get("internal")}
    touching = {name for name, given in CONTAINERS.items() if outward & set(given["networks"])}
    assert touching == {"gateway", "notifications-worker", "prometheus", "grafana"}
    assert {name for name, given in CONTAINERS.items() if given.get("ports")} == {"gateway", "grafana"}
    for name in ("gateway", "grafana"):
        assert all(port.startswith("127.0.0.1:") for port in CONTAINERS[name]["ports"])


def test_the_gateway_knows_every_service_and_its_container() -> None:
    routed = dict(re.findall(r"~\^/(\w+)/ ([\w-]+):8000;", (ROOT / "infra/gateway/upstreams.conf").read_text()))
    assert routed == {name: f"{name}-api" for name in NAMES}
    configuration = (ROOT / "infra/gateway/nginx.conf").read_text()
    for alternatives in re.findall(r"\^/\(([a-z|]+)\)/v1/", configuration):
        assert set(alternatives.split("|")) == set(NAMES)


def test_the_documents_ask_every_service_whether_it_is_ready() -> None:
    given = TOPOLOGY.environment("documents")["CLEANPROD_API_URLS"].split()
    assert given == [f"{name}=http://{name}-api:8000" for name in sorted(NAMES, key=list(PRODUCERS).index)]


def test_the_topics_are_those_of_the_producers() -> None:
    assert set(PRODUCERS) == set(NAMES)
    assert CONTAINERS["topics"]["command"] == ["python", "-m", "infra.topics"]
    assert CONTAINERS["kafka"]["environment"]["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"


def test_nginx_accepts_the_gateway() -> None:
    passes(tool("nginx"), "-t", "-e", "/dev/stderr", "-c", str(ROOT / "infra/gateway/nginx.conf"))


def test_prometheus_accepts_its_configuration_and_rules() -> None:
    passes(tool("promtool"), "check", "config", "infra/prometheus/prometheus.yml")


def test_every_alert_fires_when_it_must() -> None:
    passes(tool("promtool"), "test", "rules", "infra/prometheus/alerts.test.yml")
    tests = (ROOT / "infra/prometheus/alerts.test.yml").read_text(encoding="utf-8")
    tested = {
        case["alertname"] for t in yaml.safe_load(tests)["tests"] for case in t["alert_rule_test"] if case["exp_alerts"]
    }
    assert tested == {rule["alert"] for rule in RULES}


def test_prometheus_asks_every_process() -> None:
    jobs = yaml.safe_load((ROOT / "infra/prometheus/prometheus.yml").read_text())["scrape_configs"]
    asked = {name for job in jobs for found in job.get("dns_sd_configs", []) for name in found["names"]}
    assert asked == {f"{name}-{role}" for name in NAMES for role in ("api", "worker")}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
def test_every_alert_has_a_runbook_and_both_languages(rule: dict[str, dict[str, str]]) -> None:
    page = ROOT / rule["annotations"]["runbook"]
    assert page.name == f"{rule['alert']}.md"
    text = page.read_text(encoding="utf-8")
    for heading in ("# ", "## What it means", "## Look", "## Do", "## Afterwards"):
        assert heading in text
    assert rule["annotations"]["summary"] and re.search(r"[\u4e00-\u9fff]", rule["annotations"]["summary_zh"])


def test_no_runbook_is_left_over() -> None:
    pages = {path.stem for path in (ROOT / "infra/runbooks").glob("*.md")}
    assert pages == {rule["alert"] for rule in RULES}


def exposed_names() -> set[str]:
    """The names under which our metrics appear in PromQL."""
    ours = {metric for metric in vars(metrics).values() if hasattr(metric, "_name")}
    families = [family for metric in ours for family in metric.collect()]
    assert len(families) == len(ours) and REGISTRY is not None
    found = {family.name for family in families}
    return found | {f"{f.name}{ending}" for f in families for ending in ENDINGS[f.type]}


ENDINGS = {"counter": ("_total",), "gauge": (), "histogram": ("_bucket", "_count", "_sum")}


@pytest.mark.parametrize("expression", [*grafana.expressions(), *(str(rule["expr"]) for rule in RULES)])
def test_every_expression_asks_for_metrics_that_exist(expression: str) -> None:
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\b(?:by|on) \([^)]*\)|\"[^\"]*\"", "", expression)
    functions = {"max", "sum", "rate", "increase", "histogram_quantile", "topk", "and", "on", "by"}
    asked = set(re.findall(r"[a-z_]{2,}", bare)) - functions
    assert asked
    assert asked <= exposed_names() | {"up"}


def test_the_dashboards_are_those_of_the_script() -> None:
    wanted = grafana.dashboards()
    assert {path: path.read_text(encoding="utf-8") for path in grafana.FOLDER.glob("*.json")} == wanted


def test_every_dashboard_expression_is_promql(tmp_path: Path) -> None:
    rules = [{"record": f"checked_{n}", "expr": line} for n, line in enumerate(grafana.expressions())]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboards", "rules": rules}]}))
    passes(tool("promtool"), "check", "rules", str(file))


UNITS = sorted((ROOT / "infra" / "systemd").glob("*@.service"))


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_runs_what_the_container_runs(unit: Path) -> None:
    role = unit.name.removeprefix("cleanprod-").removesuffix("@.service")
    (line,) = [line for line in unit.read_text().splitlines() if line.startswith("ExecStart=")]
    command = line.removeprefix("ExecStart=/opt/cleanprod/.venv/bin/").split()
    for name in NAMES:
        meant = [part.replace("%i", name) for part in command]
        assert meant == CONTAINERS[f"{name}-{role}"]["command"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here to read the units")
def test_systemd_reads_the_units(tmp_path: Path) -> None:
    for unit in UNITS:
        text = unit.read_text().replace("/opt/cleanprod/.venv/bin/python", sys.executable).replace("cleanprod\n", "root\n", 1)
        (tmp_path / unit.name.replace("@", "@audits")).write_text(text)
    units = [str(path) for path in tmp_path.iterdir()]
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True)
    complaints = [line for line in done.stderr.splitlines() if "Unknown" in line or "Failed to parse" in line or "Invalid" in line]
    assert complaints == []
