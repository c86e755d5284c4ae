"""What worker processes count, as their rows in the database hold it, for /metrics."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric
from prometheus_client.samples import Sample

# The label that tells a worker's figures from those of the web processes.
PROCESS = "process"
# The other gauges are read from the database, so every process has the same.
OWN_GAUGES = frozenset({"letterbox_reconciled_timestamp_seconds"})

# A family's name, help and type, and its samples: name, labels and value.
Figures = Sequence[tuple[str, str, str, Sequence[tuple[str, dict[str, str], float]]]]


def pack_figures(registry: CollectorRegistry) -> list[Any]:
    """The counts of a process, in a form that JSON can hold."""
    packed = []
    for family in registry.collect():
        is_count = family.type in {"counter", "histogram"}
        samples = [
            (each.name, dict(each.labels), each.value)
            for each in family.samples
            if not each.name.endswith("_created") and each.value
        ]
        if samples and (is_count or family.name in OWN_GAUGES):
            packed.append((family.name, family.documentation, family.type, samples))
    return packed


class MergedFigures:
    """Our own families with the samples of workers among them: each family is written once."""

    def __init__(self, own: Iterable[Metric], workers: Sequence[tuple[str, Figures]]) -> None:
        """`workers` has the figures of each by the value of its label."""
        self._own = own
        self._workers = workers

    def collect(self) -> Iterator[Metric]:
        families = {family.name: family for family in self._own}
        for process, figures in self._workers:
            for name, documentation, kind, samples in figures:
                family = families.setdefault(name, Metric(name, documentation, kind))
                family.samples += [
                    Sample(each, {**labels, PROCESS: process}, value)
                    for each, labels, value in samples
                ]
        yield from families.values()
