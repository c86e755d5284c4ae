"""Typographic characters, and what stands for them in the plain SMS alphabet."""

# Phones and word processors put these in unasked. Letters with accents are not among them: without
# its accent a word may mean something else.
PLAIN = {
    "'": "\u2018\u2019\u201a\u201b\u2032\u02b9\u02bb\u02bc\u00b4`\u2039\u203a",
    '"': "\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb",
    "-": "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u2022\u2023",
    "...": "\u2026",
    " ": "\t\u00a0\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u3000",
    "\n": "\u2028\u2029",
    "ff": "\ufb00",
    "fi": "\ufb01",
    "fl": "\ufb02",
    "": "\u00ad\u200b\u2060\ufeff",
}
_TABLE = str.maketrans({each: plain for plain, fancy in PLAIN.items() for each in fancy})


def write_plainly(text: str) -> str:
    """The text with plain SMS characters in the place of typographic ones."""
    return text.translate(_TABLE)
