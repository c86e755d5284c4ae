"""docs/monitoring: rules and a dashboard over metrics that exist."""

import json
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.domain.operations.alert_kinds import SEVERITIES
from app.flows.operations.processes.metrics import Metrics
from tests.support.debian import find_optional

FOLDER = Path(__file__).parent.parent / "docs" / "monitoring"
RULES = FOLDER / "alerts.yml"
# What Prometheus itself has, and what its language calls things.
OTHERS = {"up"}
QUEUES = {"messages", "outbox", "uncertain", "spool", "notifications", "webhooks"}
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "gauge": ("",)}


@cache
def list_metrics() -> dict[str, set[str]]:
    """Every series of ours by name, with its labels."""
    found = {}
    collectors: Any = Metrics().registry._collector_to_names
    for collector in collectors:
        [family] = collector.describe() if hasattr(collector, "describe") else collector.collect()
        for suffix in SUFFIXES[family.type]:
            labels = {*collector._labelnames, "process"}
            found[f"{family.name}{suffix}"] = labels | ({"le"} if suffix == "_bucket" else set())
    return found


def list_rules() -> list[dict[str, Any]]:
    [group] = yaml.safe_load(RULES.read_text())["groups"]
    rules: list[dict[str, Any]] = group["rules"]
    return rules


def list_panels() -> list[dict[str, Any]]:
    panels: list[dict[str, Any]] = json.loads((FOLDER / "grafana.json").read_text())["panels"]
    return panels


def list_expressions() -> Iterator[tuple[str, str]]:
    for rule in list_rules():
        yield rule["alert"], rule["expr"]
    for panel in list_panels():
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


@pytest.mark.parametrize(("name", "expression"), list(list_expressions()))
def test_an_expression_names_only_metrics_and_labels_that_exist(name: str, expression: str) -> None:
    metrics = list_metrics()
    used = re.findall(r"\b(letterbox_\w+|up)\b(?:\{([^}]*)\})?", expression)
    assert used, expression
    for metric, selector in used:
        if metric in OTHERS:
            continue
        assert metric in metrics, metric
        for label in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector):
            assert label in metrics[metric], (metric, label)
    [*selected] = re.findall(r'queue="(\w+)"', expression)
    assert set(selected) <= QUEUES
    for labels in re.findall(r"\bby \(([^)]*)\)", expression):
        known = set().union(*(metrics[metric] for metric, _ in used if metric in metrics))
        assert {each.strip() for each in labels.split(",")} <= known
    bare = re.sub(r'"[^"]*"', "", expression)
    for begin, end in ("()", "{}", "[]"):
        assert bare.count(begin) == bare.count(end)


def test_each_rule_has_a_severity_of_ours_and_says_what_to_do() -> None:
    names = [rule["alert"] for rule in list_rules()]
    assert len(names) == len(set(names)) > 10
    for rule in list_rules():
        assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}
        assert rule["labels"]["severity"] in SEVERITIES
        assert re.fullmatch(r"\d+m", rule.get("for", "1m"))
        assert rule["annotations"].keys() == {"summary", "description"}


def test_promtool_takes_the_rules_where_it_can_be_had() -> None:
    promtool = find_optional("promtool")
    if promtool is None:
        # The tests above read the same rules without it.
        assert list_rules()
        return
    checked = subprocess.run(
        [promtool, "check", "rules", "--lint-fatal", str(RULES)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert checked.returncode == 0, checked.stderr


def test_every_metric_is_described_or_on_the_dashboard_or_in_a_rule() -> None:
    shown = " ".join(expression for _, expression in list_expressions())
    page = (FOLDER / "README.md").read_text()
    for name in list_metrics():
        base = re.sub(r"_(bucket|count|sum|total)$", "", name)
        is_described = base in page or ("letterbox_messages_" in page and "messages" in base)
        assert is_described or base in shown, name


def test_the_panels_of_the_dashboard_do_not_overlap() -> None:
    taken = set()
    for panel in list_panels():
        place = panel["gridPos"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert (x, y) not in taken, panel["title"]
                assert x < 24
                taken.add((x, y))
    assert len({panel["id"] for panel in list_panels()}) == len(list_panels())
