"""Letters of other alphabets, and in boxes, that pass for those of STOP and the others."""

import re

_LOOK_ALIKES: dict[int, str | int] = {
    **str.maketrans(
        "\u0405\u0422\u041e\u0420\u0421\u0415\u0455\u0442\u043e\u0440\u0441\u0435"
        "\u03a4\u039f\u03a1\u03a3\u03c4\u03bf\u03c1\ua731\u1d1b\u1d0f\u1d18\u0585"
        "\u03c3\ua4e2\ua4d4\ua4f3\ua4d1\u1515\u146d",
        "STOPCEstopceTOPStopstopooSTOPSP",
    ),
    **{
        first + place: chr(ord("A") + place)
        for first in (0x1F130, 0x1F150, 0x1F170)
        for place in range(26)
    },
}
_LOOK_ALIKE = re.compile(f"[{''.join(map(chr, _LOOK_ALIKES))}]")


def replace_look_alikes(text: str) -> str:
    """The text with letters that look alike replaced; the same object if it has none."""
    if text.isascii() or _LOOK_ALIKE.search(text) is None:
        return text
    return text.translate(_LOOK_ALIKES)
