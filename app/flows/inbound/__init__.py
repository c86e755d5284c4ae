"""Texts that come in: from the forward to the list of messages."""
