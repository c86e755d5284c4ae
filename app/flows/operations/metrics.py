"""The figures that a monitoring system scrapes from /metrics."""

import os

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

MULTIPROCESS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


def forget_process(pid: int) -> None:
    """Take a process that ended out of what is summed over the living ones."""
    mark_process_dead(pid)  # type: ignore[no-untyped-call]


class Metrics:
    """One set a process; with several web processes their sum is shown (see `serve`)."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.acknowledged = Counter(
            "letterbox_messages_acknowledged_total",
            "Forwards answered with 200, by where the message was made durable.",
            ["kept_in"],
            registry=self.registry,
        )
        self.stored = Counter(
            "letterbox_messages_stored_total",
            "Messages that were new to the database; redeliveries are not.",
            registry=self.registry,
        )
        self.refused = Counter(
            "letterbox_forwards_refused_total",
            "Forwards not answered with 200, or unreadable.",
            ["reason"],
            registry=self.registry,
        )
        self.receive_seconds = Histogram(
            "letterbox_receive_seconds",
            "From a message's arrival to its being durable, of the oldest in each batch.",
            buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2, 5),
            registry=self.registry,
        )
        self.handled = Counter(
            "letterbox_messages_handled_total",
            "Messages that the handle flow has finished.",
            registry=self.registry,
        )
        self.outcomes = Counter(
            "letterbox_messages_outcomes_total",
            "Handled messages by what came of their being answered automatically.",
            ["outcome"],
            registry=self.registry,
        )
        self.backlog = Gauge(
            "letterbox_messages_unhandled",
            "Messages that wait to be handled, counted up to 100,000.",
            registry=self.registry,
            multiprocess_mode="mostrecent",
        )
        self.spool_depth = Gauge(
            "letterbox_spool_depth",
            "Acknowledged messages that wait in the spool for the database.",
            registry=self.registry,
            multiprocess_mode="livesum",
        )
        self.open_alerts = Gauge(
            "letterbox_alerts_open",
            "Alerts that wait for a person.",
            registry=self.registry,
            multiprocess_mode="mostrecent",
        )
        self.reported = Counter(
            "letterbox_messages_reported_total",
            "Rows of the provider's InboundMessages report that runs have compared.",
            registry=self.registry,
        )
        self.missing = Counter(
            "letterbox_messages_missing_total",
            "Messages that were never forwarded and were stored from the report.",
            registry=self.registry,
        )
        self.reconciled_at = Gauge(
            "letterbox_reconciled_timestamp_seconds",
            "When the last reconciliation that succeeded ended, in Unix time.",
            registry=self.registry,
            multiprocess_mode="mostrecent",
        )
        self.sends = Counter(
            "letterbox_sends_total",
            "Calls that sent a text, by what came of it: taken, held, refused, unclear, …",
            ["outcome"],
            registry=self.registry,
        )
        self.calls = Counter(
            "letterbox_provider_calls_total",
            "Calls to the provider, by what they were for.",
            ["purpose"],
            registry=self.registry,
        )
        self.answers = Counter(
            "letterbox_provider_answers_total",
            "What the provider answered, by action: ok, an error code, http-503, unreachable, …",
            ["action", "outcome"],
            registry=self.registry,
        )
        self.unknown_words = Counter(
            "letterbox_unknown_status_words_total",
            "Statuses in words that the provider is not known to use; they are kept as they came.",
            registry=self.registry,
        )
        self.outbox_depth = Gauge(
            "letterbox_outbox_waiting",
            "Texts that wait to be sent, counted up to 100,000.",
            registry=self.registry,
            multiprocess_mode="mostrecent",
        )
        self.uncertain = Gauge(
            "letterbox_outbox_uncertain",
            "Texts of which nobody knows whether they went out.",
            registry=self.registry,
            multiprocess_mode="mostrecent",
        )
        self.credits = Gauge(
            "letterbox_credits",
            "What the provider's account had left when it was last looked at.",
            registry=self.registry,
            multiprocess_mode="mostrecent",
        )
        self.kept_in_database = self.acknowledged.labels("database")
        self.kept_in_spool = self.acknowledged.labels("spool")

    def render(self) -> bytes:
        """The Prometheus text format."""
        if MULTIPROCESS_VARIABLE not in os.environ:
            return generate_latest(self.registry)
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)
