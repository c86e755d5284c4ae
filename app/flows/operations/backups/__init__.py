"""Copies of a whole service: backed up, restored, moved to another database."""
