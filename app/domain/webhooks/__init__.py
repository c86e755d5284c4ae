"""What webhooks decide, without calling anybody."""
