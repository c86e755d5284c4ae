"""The provider's status words."""

import pytest

from app.domain.statuses import FINAL_STATUSES, KnownStatus, read_status


@pytest.mark.parametrize("word", ["Delivered", "delivered", "DELIVERED", " Delivered "])
def test_words_are_known_without_case_and_kept_as_they_came(word: str) -> None:
    status = read_status(word)

    assert status.known is KnownStatus.DELIVERED
    assert status.word == word
    assert status.is_final


@pytest.mark.parametrize("word", ["Pending", "Sent", "Unknown"])
def test_a_message_on_its_way_is_not_final(word: str) -> None:
    assert read_status(word).known is not None
    assert not read_status(word).is_final


def test_six_words_are_final() -> None:
    assert {status.value for status in FINAL_STATUSES} == {
        "Delivered",
        "Failed",
        "Expired",
        "Command_Rejected",
        "Command_Failed",
        "Undeliverable",
    }


@pytest.mark.parametrize("word", ["Teleported", "", "zugestellt"])
def test_a_word_never_seen_before_is_kept_and_not_final(word: str) -> None:
    status = read_status(word)

    assert (status.word, status.known, status.is_final) == (word, None, False)
