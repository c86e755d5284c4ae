"""Webhooks: programs that hear of events as they happen."""
