"""From the outbox to the provider: calls, their results, and what became of each text."""
