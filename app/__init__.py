"""Letterbox: receives the texts that an SMS provider forwards, and loses none of them."""
