"""Answers and bodies in parts, for the REST interface and the pages alike."""
