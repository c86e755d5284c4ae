"""The provider's status words."""

import pytest

from app.domain.outbound.statuses import (
    KnownStatus,
    Verdict,
    judge_parts,
    judge_recipients,
    read_status,
)
from app.domain.outbound.transitions import OutboundEvent as E


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
    assert {each.value for each in KnownStatus if read_status(each).is_final} == {
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


@pytest.mark.parametrize(
    ("words", "event", "word"),
    [
        (["Delivered"], E.REPORTED_DELIVERED, "Delivered"),
        (["delivered", "DELIVERED"], E.REPORTED_DELIVERED, "delivered"),
        (["Undeliverable"], E.REPORTED_UNDELIVERED, "Undeliverable"),
        (["Failed"], E.REPORTED_FAILED, "Failed"),
        (["Command_Rejected"], E.REPORTED_FAILED, "Command_Rejected"),
        (["Command_Failed"], E.REPORTED_FAILED, "Command_Failed"),
        (["Expired"], E.REPORTED_EXPIRED, "Expired"),
        (["Pending"], E.REPORTED_SENT, "Pending"),
        (["Sent"], E.REPORTED_SENT, "Sent"),
        (["Unknown"], E.REPORTED_SENT, "Unknown"),
        (["Buffered_At_SMSC"], E.REPORTED_SENT, "Buffered_At_SMSC"),
        ([None], E.REPORTED_SENT, None),
        (["Delivered", "Sent"], E.REPORTED_SENT, "Sent"),
        (["Failed", None], E.REPORTED_SENT, None),
        (["Delivered", "Expired", "Delivered"], E.REPORTED_EXPIRED, "Expired"),
        (["Delivered", "Undeliverable", "Failed"], E.REPORTED_FAILED, "Failed"),
    ],
)
def test_a_text_settles_when_all_its_parts_do(
    words: list[str | None], event: E, word: str | None
) -> None:
    assert judge_parts(words) == Verdict(event, word)


def test_recipients_who_ended_differently_stand_for_themselves() -> None:
    assert judge_recipients(["Delivered", "Failed"]) is None
    assert judge_recipients(["Failed", "command_failed"]) == Verdict(E.REPORTED_FAILED, "Failed")
    assert judge_recipients(["Delivered", "Sent"]) == Verdict(E.REPORTED_SENT, "Sent")
