"""Removes what follows a text: signatures of mail apps, quoted lines, the writer's name."""

import re

_SENT_ABROAD = (
    "gesendet|envoy\u00e9|enviado|inviato|verstuurd|verzonden|skickat|sendt|wys\u0142ane|anfonwyd"
)
# Signatures of mail apps, and quoted lines.
_SIGNATURES = re.compile(
    r"(?<!\w)(?:(?:sent (?:from|via|by|with|using)"
    rf"|(?:{_SENT_ABROAD})"
    r" (?:von|mit|über|d[eu]|depuis|desde|do|da|dal|vanaf|från|fra|z|o))\b[^\n]{1,60}$"
    r"|get outlook for .*|von [^\n]{1,60} gesendet$)"
    r"|^(?:[ \t]*(?:--|__|>)|on .{5,120} wrote:|from: ).*",
    re.MULTILINE | re.DOTALL | re.IGNORECASE,
)
# A word that cannot be a name.
_NAME = (
    r"(?!(?i:stop|stopall|unsub|unsubscribe|opt|optout|cancel|end|quit|revoke|remove|start|unstop"
    r")\b)"
)
_CLOSING = re.compile(
    r"\b(?:regards|wishes|sincerely|faithfully|yours truly)\b\W*"
    rf"(?:{_NAME}\w+\W*){{0,4}}$",
    re.IGNORECASE,
)
_CHEERS = re.compile(
    r"\b((?i:thanks|thank you|thx|ta|cheers))[,.!\s-]+"
    rf"(?:{_NAME}[A-Z]\w+ {_NAME}[A-Z]\w+|{_NAME}[^\W\d_]+)\W*$"
)
# What phones write below a text, in whatever language.
_DEVICE = re.compile(
    r"\n\s*\n[^\n]{0,40}(?:iphone|ipad|android|outlook|samsung|galaxy|huawei|xiaomi)[^\n]{0,40}\s*$",
    re.IGNORECASE,
)
# What mail writes above a text that it passes on.
_SUBJECT = re.compile(r"^(?:\s*(?:re|fwd?|aw|wg|subject)\s*:)+", re.IGNORECASE)
# Ours, repeated below: "ACME: 20% off"
_REPEATED = re.compile(r"\n\s*[\"\u201c\u201e\u00ab].*[\"\u201c\u201d\u00bb]\s*$", re.DOTALL)
# Above quoted lines: Am 1.6. um 10:00 schrieb ACME:, Le lun. 1 juin, ACME a \u00e9crit :
_QUOTES_BEGIN = re.compile(r"\n[^\n]{5,120}:\s*\n\s*>.*", re.DOTALL)
_SIGNED = re.compile(
    rf"^((?i:(?:please )?(?:stop|unsubscribe)))[,.]?"
    rf"(?: from(?: {_NAME}[A-Z][a-z.]*){{1,3}}| (?:Mrs|Mr|Ms|Miss|Dr)\.?(?: {_NAME}[\w.]+){{1,2}}"
    rf"|,? [A-Z]\.? {_NAME}[A-Z][a-z]+)\s*$"
)
_BELOW = re.compile(
    rf"(?:\n\s*(?:{_NAME}[A-Z][\w'.-]*(?: {_NAME}[A-Z][\w'.-]*){{0,2}}|\+?[0-9][0-9 ]{{9,}})\s*)"
    r"{1,3}$"
    rf"|\s[-\u2013\u2014]\s*{_NAME}[A-Z][a-z]+(?: {_NAME}[A-Z][a-z]+)?\s*$"
)


# Each ending has one of these in it, after case folding. Looking for them takes a tenth of the time
# that the patterns take, and most texts have none.
_SIGNATURE_MARKS = (
    *("sent ", "get outlook", " wrote:", "from: ", "--", "__", ">"),
    *_SENT_ABROAD.split("|"),
)
_CLOSING_MARKS = ("regards", "wishes", "sincerely", "faithfully", "yours truly")
_CHEERS_MARKS = ("thank", "thx", "ta", "cheers")
_BELOW_MARKS = ("\n", "-", "\u2013", "\u2014")


def cut_endings(body: str) -> str:
    """The text without the signature of a mail app, quoted lines and the name of who wrote it."""
    text = body.strip()
    if "\n" in text:
        text = _DEVICE.sub("", _REPEATED.sub("", _QUOTES_BEGIN.sub("", text)))
    if ":" in text:
        text = _SUBJECT.sub("", text)
    # Patterns that ignore case take a dotless or dotted capital I for an i.
    folded = text.casefold().replace("\u0131", "i").replace("i\u0307", "i")
    if _has_any(folded, _SIGNATURE_MARKS):
        text = _SIGNATURES.sub("", text)
    if _has_any(folded, _CLOSING_MARKS):
        text = _CLOSING.sub("", text)
    if _has_any(folded, _CHEERS_MARKS):
        text = _CHEERS.sub(r"\1", text)
    if _has_any(folded, _BELOW_MARKS):
        text = _BELOW.sub("", text)
    return _SIGNED.sub(r"\1", text)


def _has_any(text: str, marks: tuple[str, ...]) -> bool:
    for mark in marks:  # noqa: SIM110 a generator would take longer than what it saves
        if mark in text:
            return True
    return False
