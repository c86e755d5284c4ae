"""The provider, played from its own page: imports nothing else of `app`, shares no code with it."""
