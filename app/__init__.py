"""Letterbox: receives the texts that an SMS provider forwards, and loses none of them."""

# The only place that names it; pyproject.toml reads it from here, and the image has no other.
__version__ = "1.0.0"
