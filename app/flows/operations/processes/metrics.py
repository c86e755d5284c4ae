"""The metrics that a monitoring system scrapes from /metrics."""

import os
import platform
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from app import __version__
from app.flows.operations.processes.process_figures import Figures, MergedFigures

MULTIPROCESS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


def forget_process(pid: int) -> None:
    """Leave an ended process out of the sums over those that run."""
    mark_process_dead(pid)  # type: ignore[no-untyped-call]


class Metrics:
    """One set per process; /metrics shows the sums over all web processes."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        counter = partial(Counter, registry=registry)
        newest = partial(Gauge, registry=registry, multiprocess_mode="mostrecent")
        self.acknowledged = counter(
            "letterbox_messages_acknowledged_total",
            "Forwards answered with 200, by where the message was stored.",
            ["kept_in"],
        )
        self.stored = counter(
            "letterbox_messages_stored_total",
            "New messages in the database, redeliveries not counted.",
        )
        self.refused = counter(
            "letterbox_forwards_refused_total",
            "Forwards not answered with 200, or unreadable.",
            ["reason"],
        )
        self.receive_seconds = Histogram(
            "letterbox_receive_seconds",
            "From a message's arrival until it is durable, for the oldest of each batch.",
            buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2, 5),
            registry=self.registry,
        )
        self.handled = counter(
            "letterbox_messages_handled_total",
            "Messages that were handled.",
        )
        self.outcomes = counter(
            "letterbox_messages_outcomes_total",
            "Handled messages, by the outcome of the automatic reply.",
            ["outcome"],
        )
        self.backlog = newest(
            "letterbox_messages_unhandled",
            "Messages waiting to be handled, counted up to 100,000.",
        )
        self.spool_depth = Gauge(
            "letterbox_spool_depth",
            "Acknowledged messages waiting in the spool for the database.",
            registry=self.registry,
            multiprocess_mode="livesum",
        )
        self.spool_bytes = Gauge(
            "letterbox_spool_bytes",
            "Size of the spool's files, which are removed once they are drained.",
            registry=self.registry,
            multiprocess_mode="livesum",
        )
        self.open_alerts = newest(
            "letterbox_alerts_open",
            "Open alerts.",
        )
        self.reported = counter(
            "letterbox_messages_reported_total",
            "Compared rows of the provider's InboundMessages report.",
        )
        self.missing = counter(
            "letterbox_messages_missing_total",
            "Messages that were never forwarded and were stored from the report.",
        )
        self.reconciled_at = newest(
            "letterbox_reconciled_timestamp_seconds",
            "When the last successful reconciliation ended, in Unix time.",
        )
        self.sends = counter(
            "letterbox_sends_total",
            "Calls that sent texts, by outcome: taken, held, refused, unclear, …",
            ["outcome"],
        )
        self.calls = counter(
            "letterbox_provider_calls_total",
            "Calls to the provider, by purpose.",
            ["purpose"],
        )
        self.answers = counter(
            "letterbox_provider_answers_total",
            "The provider's answers, by action: ok, an error code, http-503, unreachable, …",
            ["action", "outcome"],
        )
        self.notifications = counter(
            "letterbox_notifications_total",
            "Messages to the addresses of notifications, by outcome: sent or failed.",
            ["outcome"],
        )
        self.unknown_words = counter(
            "letterbox_unknown_status_words_total",
            "Statuses in words the provider is not known to use; they are kept as they came.",
        )
        self.outbox_depth = newest(
            "letterbox_outbox_waiting",
            "Texts waiting to be sent, counted up to 100,000.",
        )
        self.uncertain = newest(
            "letterbox_outbox_uncertain",
            "Texts for which it is unknown whether they were sent.",
        )
        self.credits = newest(
            "letterbox_credits",
            "The credits of the provider's account at the last check.",
        )
        self.queue_age = Gauge(
            "letterbox_queue_oldest_seconds",
            "How long the oldest item of a queue has been waiting; 0 if none is.",
            ["queue"],
            registry=registry,
            multiprocess_mode="livemax",
        )
        self.webhook_deliveries = counter(
            "letterbox_webhook_deliveries_total",
            "Attempts to deliver to webhooks, by outcome.",
            ["outcome"],
        )
        newest(
            "letterbox_build_info",
            "Always 1; the labels say which release runs.",
            ["version", "python"],
        ).labels(__version__, platform.python_version()).set(1)
        self.kept_in_database = self.acknowledged.labels("database")
        self.kept_in_spool = self.acknowledged.labels("spool")

    def render(self, workers: Sequence[tuple[str, Figures]] = ()) -> bytes:
        """The Prometheus text format, with the figures of worker processes."""
        registry = self.registry
        if MULTIPROCESS_VARIABLE in os.environ:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(MergedFigures(registry.collect(), workers))

    def note_queues(self, oldest: Mapping[str, datetime | None], now: datetime) -> None:
        """Set how long the oldest item of each queue has been waiting."""
        for queue, since in oldest.items():
            age = 0.0 if since is None else max((now - since).total_seconds(), 0.0)
            self.queue_age.labels(queue).set(age)
