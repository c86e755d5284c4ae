"""Erasures in the database: digests of what was removed, and where a number still stands."""
