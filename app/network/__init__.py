"""Calls to addresses that people name: never where such a call must not go."""
