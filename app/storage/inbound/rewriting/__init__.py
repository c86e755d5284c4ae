"""Messages that are read again: after a replay, and after a release that reads differently."""
