"""Erasing what is known of a number, and single messages, for good."""
