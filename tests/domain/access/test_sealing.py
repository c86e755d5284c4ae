"""Secrets in the database: read again with the same master, by nobody else."""

import pytest

from app.domain.access.sealing import Sealer
from app.domain.errors import Unreadable

TEXTS = ["", "x", "mailto://user:pässword@example.com", "a" * 31, "a" * 32, "a" * 33, "é" * 2000]


@pytest.mark.parametrize("text", TEXTS, ids=len)
def test_a_sealed_text_is_read_again_by_the_same_master_alone(text: str) -> None:
    sealed = Sealer("one").seal(text)
    assert Sealer("one").open(sealed) == text
    assert len(text) < 8 or text.encode()[:8] not in sealed
    with pytest.raises(Unreadable):
        Sealer("two").open(sealed)


def test_no_changed_byte_goes_unnoticed() -> None:
    sealer = Sealer("one")
    sealed = sealer.seal("slack://token")
    for place in range(len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= 1
        with pytest.raises(Unreadable):
            sealer.open(bytes(changed))
    for end in (0, 5, 40, len(sealed) - 1):
        with pytest.raises(Unreadable):
            sealer.open(sealed[:end])


def test_the_same_text_is_sealed_differently_each_time_but_has_one_digest() -> None:
    sealer = Sealer("one")
    assert sealer.seal("same") != sealer.seal("same")
    assert sealer.digest("same") == Sealer("one").digest("same") != Sealer("two").digest("same")
    assert "one" not in repr(sealer)
