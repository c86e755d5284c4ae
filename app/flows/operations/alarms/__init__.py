"""Watches what may go wrong unseen, and raises alerts."""
