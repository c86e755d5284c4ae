"""Letterbox: receives the texts that an SMS provider forwards, and loses none of them."""

__version__ = "0.1.0"
