"""Parts, septets and encodings, against the standard's table and an independent splitter."""

import os
import random

import gsm0338
import pytest
import smsutil

from app.domain.outbound.gsm import GSM_BASIC, GSM_EXTENSION, measure_text

EMOJI = "\N{GRINNING FACE}"


@pytest.mark.parametrize(
    ("text", "encoding", "units", "lengths", "room"),
    [
        ("", "GSM-7", 0, [0], 160),
        ("a" * 160, "GSM-7", 160, [160], 0),
        ("a" * 161, "GSM-7", 161, [153, 8], 145),
        ("a" * 459, "GSM-7", 459, [153, 153, 153], 0),
        ("€" * 80, "GSM-7", 160, [80], 0),
        ("€" * 81, "GSM-7", 162, [76, 5], 143),
        ("a" * 152 + "€" + "a" * 10, "GSM-7", 164, [152, 11], 141),
        ("à" * 160, "GSM-7", 160, [160], 0),
        ("ê", "UCS-2", 1, [1], 69),
        ("ê" * 70, "UCS-2", 70, [70], 0),
        ("ê" * 71, "UCS-2", 71, [67, 4], 63),
        (EMOJI * 35, "UCS-2", 70, [35], 0),
        (EMOJI * 36, "UCS-2", 72, [33, 3], 61),
        ("a" * 66 + EMOJI + "a" * 10, "UCS-2", 78, [66, 11], 55),
    ],
)
def test_text_is_cut_where_the_standard_cuts_it(
    text: str, encoding: str, units: int, lengths: list[int], room: int
) -> None:
    sms = measure_text(text)

    assert sms.encoding == encoding
    assert sms.units == units
    assert [len(part) for part in sms.parts] == lengths
    assert sms.room == room
    assert "".join(sms.parts) == text


@pytest.mark.parametrize(
    "char",
    [
        *(
            "`",
            "\u2018",
            "\u2019",
            "\u201c",
            "\u201d",
            "\u2013",
            "\u2014",
            "\u2026",
            "\t",
            "ê",
            "ç",
        ),
        *("\x1b", "\0", EMOJI, "\ud800", "\udfff", "\u2028"),
    ],
)
def test_character_outside_the_alphabet_is_named(char: str) -> None:
    sms = measure_text(f"a{char}b{char}")

    assert sms.encoding == "UCS-2"
    assert sms.outside == (char,)


def test_characters_outside_are_named_once_in_order_of_appearance() -> None:
    assert measure_text("\u201cê\u201c \u2013 ê`").outside == ("\u201c", "ê", "\u2013", "`")


def test_form_feed_and_euro_take_two_septets_and_stay_in_gsm() -> None:
    sms = measure_text("\f^{}\\[~]|€")

    assert (sms.encoding, sms.units, sms.outside) == ("GSM-7", 20, ())


def test_lone_surrogates_count_one_unit_each() -> None:
    assert measure_text("\ud83d" * 71).parts == ("\ud83d" * 67, "\ud83d" * 4)


def test_alphabet_is_that_of_the_independent_codec() -> None:
    codec = gsm0338.Codec()
    escape = b"\x1b"
    basic = [codec.decode(bytes((code,)))[0] for code in range(128) if code != escape[0]]
    escaped = [codec.decode(escape + bytes((code,)), "ignore")[0] for code in range(128)]

    assert "".join(basic) == GSM_BASIC
    assert "".join(escaped) == GSM_EXTENSION


@pytest.mark.soak
def test_texts_are_cut_as_the_independent_splitter_cuts_them() -> None:
    count = 100_000 if os.environ.get("LETTERBOX_SOAK") == "1" else 12_000
    rng = random.Random(338)
    texts = (_make_text(rng, adversarial=number % 4 == 0) for number in range(count))

    assert [ascii(text) for text in texts if _cut(text) != _cut_independently(text)] == []


def _cut(text: str) -> tuple[str, int, list[str]]:
    sms = measure_text(text)
    return sms.encoding, sms.units, list(sms.parts)


def _cut_independently(text: str) -> tuple[str, int, list[str]]:
    split = smsutil.split(text)
    parts = [part.content for part in split.parts]
    if split.encoding == "gsm0338":
        return "GSM-7", split.total_bytes, parts
    return "UCS-2", split.total_bytes // 2, parts


# Lengths at which a part fills up, for both encodings, with characters of one and of two units.
_EDGES = (1, 33, 34, 35, 36, 66, 67, 68, 69, 70, 71, 76, 77, 80, 81, 134, 135, 152, 153, 154, 160)
_FAR_EDGES = (161, 201, 202, 305, 306, 307, 459, 460)
_SPARSE = (("a", "€", 0.05), ("a", "€", 0.5), ("ê", EMOJI, 0.05), ("ê", EMOJI, 0.5))


def _make_text(rng: random.Random, *, adversarial: bool) -> str:
    if not adversarial:
        alphabet = rng.choice((GSM_BASIC, GSM_BASIC + GSM_EXTENSION, "aé€ê\u2013" + EMOJI))
        return "".join(rng.choices(alphabet, k=rng.randrange(1, 12)))
    edges = _FAR_EDGES if rng.random() < 0.05 else _EDGES
    length = rng.choice(edges) + rng.choice((-1, 0, 1)) or 1
    single, double, share = rng.choice(_SPARSE)
    text = rng.choices((single, double), cum_weights=(1 - share, 1), k=length)
    text[rng.randrange(length)] = rng.choice((single, double, "~", "à"))
    return "".join(text)
