"""What a text costs, as far as can be told before it goes."""

UNITED_KINGDOM = "44"


def estimate_credits(number: str, parts: int) -> int:
    """Credits for a text to a full number: one a part in the UK, elsewhere two (inferred)."""
    return parts * (1 if number.startswith(UNITED_KINGDOM) else 2)
