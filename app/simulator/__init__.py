"""The simulated provider, written from its own page: imports nothing else of `app`."""
