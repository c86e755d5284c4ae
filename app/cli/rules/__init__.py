"""Rules for automatic replies."""
