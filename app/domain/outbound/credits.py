"""What a text costs, as far as is known in advance."""

UNITED_KINGDOM = "44"


def estimate_credits(number: str, parts: int) -> int:
    """Credits for a text to a full number: one per part in the UK, two elsewhere (inferred)."""
    return parts * (1 if number.startswith(UNITED_KINGDOM) else 2)
