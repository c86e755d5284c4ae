"""Phrases that may refuse our texts, amid whatever other words; a person has to look."""

import re

from app.domain.rules.refusals.quick_search import QuickSearch
from app.domain.rules.refusals.words import ACT, GO_AWAY, TEXT, list_words

_TEXTS = (
    "(?:texts|txts|messages|msgs|sms|reminders|notifications|alerts|newsletters?|promos|spam"
    "|marketing|emails|calls)"
)
_WANTING = r"(?:(?:i|we) (?:\w+ ){0,2}(?:tried|trying|want|like|wish|need)|unable|any way|a way)"
_LIST = rf"(?!the waiting)(?:\w+ ){{0,3}}(?:lists?|database|{_TEXTS})\b"
# Words, one of which is in any text that has one of the phrases behind them; and the phrases.
_PHRASES = (
    (
        "stop quit cease stahp stawp",
        (
            r"\b(?:stop|quit|cease) (?:\w+ ){0,3}(?:send|text|txt|messag|msg|contact|spam)\w*"
            r" (?:\w+ )?(?:me|us)\b"
        ),
        (
            r"\b(?:stop|quit) (?:texting|txting|messaging|spamming|contacting)"
            r"(?: (?:this|my|our) \w+| him| her| it| them)?$"
        ),
        r"\b(?:please|pls|plz|so|just|to say) stop(?: now)?$",
        r"(?<!the )(?<!your )\b(?:texts|messages|spam) stop(?: now)?$",
        r"\bsta[hw]p\b",
        r"\b(?:text|messag|spam)\w* .*(?:please|pls|plz) stop (?:it|this)$",
        r"^(?:please )?stop (?:(?:(?:it|this|now) )*(?:or|otherwise)|i|im|ive|who|why|you|u)\b",
        r"\b(?:texting|txting|messaging|contacting|spamming) (?:me|us) stop$",
        (
            r"\b(?:make (?:the \w+|it)|(?:make|get) (?:this|these|them|these \w+)(?: to)?)"
            r" stop(?: please)?$"
        ),
        r"^(?:reply|send|text|txt|sent) stop$",
        # stop Acme's texts
        (
            r"^(?:please |pls |plz |kindly )?stop (?!ignoring|missing|losing|blocking)"
            rf"(?:\w+ ){{0,3}}{_TEXTS}\b"
        ),
        rf"\bstop sending (?:\w+ ){{0,2}}{_TEXTS}\b",
        rf"\b{_WANTING} to stop (?:the |these |your )?{_TEXTS}\b",
        # It was said before.
        (
            r"\b(?:i|ive|have|already|keep)(?: already| just| keep)? (?:sent|sending|texted|replied"
            r"|typed|responded|tried|said|told (?:you|u))"
            r"(?: with| you| back| already| the word)* stop\b"
            r"(?! (?:at|by|in|off|for|over|there|here|the)\b)"
        ),
        r"\b(?:texts|messages) (?:\w+ )?(?:after|despite) (?:\w+ )?stop\b",
        r"\b(?:ask|asked|told|tell) (?:you|u) (?:\w+ ){1,3}to stop$",
        r"^stop (?:doesnt|does not|isnt|is not|didnt|did not) work(?:ing)?$",
        r"\bpart of (?:the word )?stop\b|\bunderstand (?:the word )?stop$|^stop means stop$",
        r"^stop as i (?:said|told|asked)\b",
    ),
    (
        "unsubscribe optout unsubscribed opted",
        r"\bunsubscribe (?:me|from)\b|\boptout me\b|\b(?:the|an|no|your) unsubscribe\b",
        r"^(?:please )?(?:unsubscribe|optout)(?! of the)(?: \w+){1,4}$",
        rf"\b{_WANTING} to (?:unsubscribe|optout)\b(?! of the)",
        r"\b(?:cant|cannot) (?:i )?(?:unsubscribe|optout)\b",
        r"^(?:i have |ive |i )?(?:already )?opted out(?: already| before)?$",
        (
            r"(?<!was )(?<!did )(?<!have )(?<!am )\b(?:i|ive|id|we|weve)(?: have| had)?"
            r"(?: already| just| previously)? (?:unsubscribed|opted out)"
            r"\b(?! of (?!your|these|this)| by (?:mistake|accident))"
        ),
    ),
    (
        "remove removed delete erase",
        rf"\bremove (?:me|us|(?:my|our|his|her|their|this) (?:\w+ )?number) from {_LIST}",
        r"\b(?:delete|erase|remove) (?:all )?(?:of )?my (?:data|personal (?:data|details))\b",
        rf"\b(?:ask|asked|asking|ensure|sure|confirm|want|wish|like|get)\b.* removed from {_LIST}",
        r"\b(?:ensure|make sure|confirm)\b.* removed? (?:me|my number)\b",
        r"\b(?:ask|asked|told)(?: you| u)?(?: \w+)?(?: times)? to remove (?:me|my number)\b",
        r"\basked (?:\w+ times )?to be removed$",
    ),
    (
        "not dont never no didnt more",
        (
            rf"\b(?:dont|do not|no longer) (?:want|wish|need)(?: to)?(?: be| get| have| receive)*"
            rf" (?:any |more |further |these |those |your |ur |the |this |of )*{_TEXTS}\b"
        ),
        rf"\b(?:do not|dont) send (?:(?:\w+ ){{0,2}}{_TEXTS}|anything)\b",
        r"\b(?:do not|dont|never) (?:tex|tect|tet|txet|tezt|trxt|test) (?:me|us)\b",
        r"\b(?:do not|dont) (?:text|txt|message|msg)(?: me| us)? (?:call|email|ring|phone|write)\b",
        r"^(?:please |pls )?(?:do not|dont) (?:call|ring|phone|disturb)(?: me| us)?(?: please)?$",
        (
            r"^(?:i |we )?(?:really )?(?:dont|do not|no longer)"
            r" (?:want|(?:want|wish) to (?:get|receive)) (?:any more |any |more )?(?:of )?"
            r"(?:these|this|them|those)(?: any ?more| please| thanks| thank you| from you)*$"
        ),
        (
            rf"\b(?:not|no|dont|never|didnt) (?:\w+ ){{0,4}}(?:consent|permission) (?:\w+ ){{0,3}}"
            rf"(?:{ACT}|{TEXT})"
        ),
        (
            r"^(?:please )?no (?:more|(?:more )?(?:texts|txts|texting|messages|sms|spam|marketing"
            r"|calls|calls or texts)|more (?:news|info|updates?)|(?:further |more )?contact)"
            r"(?: please| thanks| of these)?$"
        ),
        rf"\b(?:ensure|make sure)\b.* any ?more {_TEXTS}\b",
    ),
    (
        "texts txts messages msgs sms spam",
        (
            r"^(?:way )?(?:too many|enough|thats enough) (?:of )?(?:these |your |the )?"
            rf"{_TEXTS}\b(?! left)"
        ),
        rf"^(?:these |your )?unwanted {_TEXTS}$|^(?:this is )?spam$",
    ),
    (
        "block blacklist unfollow unregister deregister unlist unenrol unenroll forget",
        r"^(?:please |pls |just )?\w+ (?:me|us|(?:my|this) number)(?: please)?$",
    ),
    ("off away lost", rf"^(?:go away|get lost|{GO_AWAY})$"),
    # Misspelt as another word
    (
        "stoop top atop step spot sop shop drop",
        (
            r"^(?:please |pls |can you |just )*(?:stoop|top|atop|step|spot|sop|shop|drop)"
            r" (?:texting|txting|messaging|contacting|spamming|sending) (?:me|us|these|this)\b"
        ),
    ),
    # What is written in several words abroad
    (
        "band bandh mat",
        (
            r"\bbandh? (?:karo|kar do|kijiye|kariye)\b|\b(?:message|msg|sms) mat (?:karo|bhejo)\b"
            r"|\bmat bhejo\b"
        ),
    ),
    (
        "sms nachrichten mensajes textos mensagens messaggi berichten smsow sms\u00f3w",
        (
            r"(?:\bplus de|\bkeine|\bno (?:\w+ )?m[a\u00e1]s|\bn[a\u00e3]o quero mais"
            r"|\bnon voglio pi[u\u00f9]|\bgeen|\bnie chc[e\u0119]|\bne menvoyez plus de)"
            r" (?:weiteren |mehr )?(?:sms|nachrichten|mensajes|textos|mensagens|messaggi|berichten"
            r"|smsow|sms\u00f3w)\b"
        ),
    ),
)
_COMPILED = tuple((list_words(hints), re.compile("|".join(each))) for hints, *each in _PHRASES)
_MAY_HAVE = QuickSearch(pattern.pattern for _, pattern in _COMPILED)
# A text without any of these has no such phrase, nor does it have one when it is rewritten.
HINTS = frozenset().union(*(hints for hints, _ in _COMPILED)) | list_words(
    "unsub opt take get lose go fuck donot anything"
)


def has_phrase(text: str) -> bool:
    """Whether folded words, with a space between them, have such a phrase."""
    words = text.split()
    return any(
        not hints.isdisjoint(words) and pattern.search(text) is not None
        for hints, pattern in map(_COMPILED.__getitem__, _MAY_HAVE.find(text))
    )
