"""Texts that go out: composed, queued, sent and followed to their end."""
