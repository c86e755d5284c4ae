"""Programs that are called when something happens."""
