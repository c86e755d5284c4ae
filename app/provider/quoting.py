"""How an error quotes what the provider answered: briefly, and without secrets."""

import re
from collections.abc import Callable
from urllib.parse import quote

_LONG_SECRET = 8


def clip(text: str, length: int = 80) -> str:
    """The beginning of a text, cut between words, so that a secret is never cut and missed."""
    if len(text) <= length:
        return text
    words = text[: length + 1].rsplit(maxsplit=1)
    return f"{words[0] if len(words) > 1 else ''}..."


def make_hider(secrets: tuple[str, ...]) -> Callable[[str], str]:
    """A function that removes the secrets from what an error quotes.

    One of fewer than 8 characters is removed only as a whole word, because it may occur by chance
    within another.
    """
    patterns = []
    for secret in filter(None, secrets):
        for written in {secret, quote(secret, safe="")}:
            word = re.escape(written)
            if len(written) < _LONG_SECRET:
                word = f"(?<![0-9A-Za-z]){word}(?![0-9A-Za-z])"
            patterns.append(word)
    hidden = re.compile("|".join(sorted(patterns, key=len, reverse=True)) or r"(?!)")
    return lambda text: hidden.sub("[hidden]", text)
