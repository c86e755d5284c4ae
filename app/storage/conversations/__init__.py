"""Conversations and contacts."""
