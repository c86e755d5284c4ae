"""The words and phrases of which refusals are made; `recognising` says what they mean together."""

import re
from collections.abc import Iterable

from app.domain.rules.refusals.quick_search import QuickSearch


def list_words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# These are always a refusal, whatever rules have as keywords.
PROTECTED = frozenset({"stop", "stopall", "unsubscribe", "optout"})
OPT_OUT_WORDS = PROTECTED | {"cancel", "end", "quit", "revoke", "remove"}
OPT_IN_WORDS = frozenset({"start", "unstop"})
ANSWER_WORD = "yes"

POLITE = list_words(
    "please pls plz plse pleas plss plzz pleeease thanks thank thankyou thx thnx thnks ty ta tnx"
    " cheers you u very much many kindly sorry hi hiya hello hey dear ok okay k just now"
    " immediately asap regards kind sir madam x xx xxx xxxx xo xoxo no nope and so mate guys folks"
    " team love again forever already right away today at once simply best wishes bye goodbye"
    " fucking bloody damn ffs effing fuckin omg oi amen really oh ugh argh yo wtf jesus christ god"
    " seriously enough nah well then permanently completely idiot idiots moron morons scammers"
    " apologies but bro dude lads pal bud buddy m8 luv hun bruv sirs tyvm tysm bastard bastards"
    " wanker wankers cunt cunts twat twats arsehole arseholes asshole assholes prick pricks"
    " dickhead dickheads fucker fuckers bitch bitches muppets"
    # Beside English words
    " bitte danke merci svp sil vous te plait pla\u00eet favor por gracias grazie obrigado obrigada"
    " dzieki prosze tack tak diolch"
)
# What is refused; one of these words must follow a plain STOP.
TEXTS = list_words(
    "text texts texting txt txts txting txtin textin texted message messages messaging messagin msg"
    " msgs msging sms smses mail mails email emails emailing news newsletter newsletters alert"
    " alerts offer offers update updates promo promos promotion promotions promotional marketing ad"
    " ads advert adverts advertising advertisement advertisements spam spamming notification"
    " notifications reminder reminders info contact contacting communication communications"
    " bothering pestering harassing bugging annoying stalking hounding calling ringing"
    " phoning pinging calls deals vouchers sending send sent"
)
# Only texts: CANCEL and END may be about many other things.
TEXTS_ALONE = list_words(
    "text texts texting txt txts txting textin message messages messaging msg msgs msging sms smses"
    " sending"
)
POINTERS = list_words(
    "it that this these those them all any everything list lists database contacts"
)
BETWEEN = list_words(
    "me us my our mine your yours ur the more further to from on getting get got"
    " receiving receive recieving recieve anymore ever phone mobile cell number numbers off with"
    " about by via in kind of or unwanted details future mailing crap rubbish shit junk stuff"
    " stupid system records nonsense bullshit bollocks garbage youre"
)
# May be about more than texts: a person has to look.
SUBSCRIPTIONS = list_words("subscription subscriptions")
DOUBTFUL = SUBSCRIPTIONS | list_words("service services lol lmao haha hahaha ha")
BAG = TEXTS | POINTERS | BETWEEN | DOUBTFUL

PLAIN = frozenset({"stop", "stopall"})
LEAVE = frozenset({"unsubscribe", "optout", "remove"})
END = frozenset({"cancel", "end", "quit", "revoke"})

TEXT = "(?:" + "|".join(sorted(TEXTS, key=len, reverse=True)) + ")"
GO_AWAY = "(?:fuck|fuk|feck|piss|sod|bugger|naff|f) off"
NOT = "(?:dont|do not|never|didnt|did not|doesnt|not)(?: to| you| ever)*"
ACT = "(?:text|txt|message|msg|contact|email|call|bother|ring|phone)"
# Then it is about when, or about another way: don't call me before 10, don't ring me, text me
NOT_THEN = (
    "(?! (?:before|after|until|till|between|at|on|in|while|during|today|tonight|tomorrow|back|about"
    "|if|when|unless)\\b)(?!.*(?<! or)(?<! and) (?:text|message|txt) (?:me|us)\\b)"
)
# I no longer wish to receive these messages
NO_WISH = (
    "(?:(?:i|we)? ?(?:really )?(?:dont|do not|no longer) (?:want|wish|need|wanna)"
    "|(?:id|i would) (?:rather|prefer) not)"
    "(?: to)?(?: be| get| have| receive| receiving| getting)*"
    f"(?= (?:any |more |further |these |those |your |ur |the |this |of )*{TEXT}\\b)"
)
# Other phrases, replaced by the words above; applied in this order to folded words.
REWRITES = tuple(
    (re.compile(rf"\b(?:{pattern})\b"), words)
    for pattern, words in (
        ("donot|do nt|don t|dnt", "dont"),
        (f"{GO_AWAY} (?:and )?(?=(?:please )?(?:stop|unsubscribe|remove|optout))", ""),
        ("(?:the |to )?(?:fuck|hell) ", ""),
        # What phones write that were told to end a sentence.
        (
            (
                r"(?<=\w )(?:full stop|exclamation (?:mark|point)|question mark|comma|new line"
                "|period(?= |$)(?! pain))"
            ),
            "",
        ),
        (
            (
                "(?:id|i would) (?:appreciate|prefer|like) it if (?:you|u)"
                " (?:stopped|would stop|could stop)"
            ),
            "please stop",
        ),
        (
            "(?:id|i would) (?:rather|prefer)(?: it)?(?: if)? (?:you|u) (?:didnt|did not)",
            "dont",
        ),
        (
            f"(?:i |we )?(?:dont|do not|no longer) want (?:you|u) to (?={ACT} (?:me|us|this))",
            "dont ",
        ),
        ("would (?:you|u) mind", "would you"),
        ("not (?:texting|messaging|contacting|sending) (?=me|us|this)", "stop texting "),
        (
            (
                f"(?:i (?:want|need) |get )?(?:(?:these|those|the|your|ur|all) )+({TEXT})"
                " (?:need to|must|have to|to) stop"
            ),
            r"stop these \1",
        ),
        (r"(?:get|come) off (?=(?:this|your|ur|the) (?:\w+ )?lists?)", "remove me from "),
        ("stop all", "stopall"),
        ("opt out|opting out", "optout"),
        ("optmeout", "optout me"),
        ("opt (me|us|this number|my number) out", r"optout \1"),
        ("un (stop|subscribe)", r"un\1"),
        ("unsub|unsubscribe|unsubscribing", "unsubscribe"),
        ("^(?:i am|im|i|we) (?=optout|unsubscribe)", ""),
        (
            (
                r"(?:take|get) (me|us|my number|this number)"
                r" (?:off|of(?= (?:\w+ ){1,2}lists?\b))"
            ),
            r"remove \1 from",
        ),
        ("(?:delete|lose|erase|rmv|rm) (me|us|my number|this number)", r"remove \1"),
        ("(?:delete|remove|erase) (?:all )?(?:of )?my (?:data|details|info|name)", "remove me"),
        ("take my name off", "remove me from"),
        ("stop reply", "stop"),
        ("quit (?=spamming|bothering|harassing|annoying|calling|contacting|ringing)", "stop "),
        ("(?:i )?(?:revoke|withdraw) (?:my |all )?consent (?:to|for)(?= )", "revoke texts"),
        ("(?:i )?(?:revoke|withdraw) (?:my |all )?consent", "revoke"),
        ("be (?:taken off|removed)", "remove me"),
        (
            (
                rf"(?:do not|dont|never) (?:ever )?(?:{ACT} or )?{ACT}"
                rf" (me|us|any|this|my(?= (?:number|phone|mobile|cell)\b)){NOT_THEN}"
            ),
            r"stop texting \1",
        ),
        (
            (
                r"(?:do not|dont|never) (?:ever )?send (me|us|any)"
                rf"(?= (?:\w+ ){{0,4}}{TEXT}\b| (?:again|anything|these|this|those)\b"
                r"| any ?more(?: of (?:these|this|those|them))?$|$)"
            ),
            r"stop texting \1",
        ),
        (
            (
                "(?:do not|dont|never) (?:(?:call|ring|phone|email) (?:or|and) )?"
                "(?:text|txt|message|msg|contact)(?: (?:or|and) (?:call|ring|phone|email))?"
                "(?= again|$)"
            ),
            "stop texting",
        ),
        (
            (
                r"no (?:more|further)(?! (?:news|info|updates?)\b)"
                rf"(?= (?:of )?(?:these |those |the |your |ur )?{TEXT}\b)"
            ),
            "stop",
        ),
        (NO_WISH, "stop"),
        (
            (
                "(?:i |we )?(?:do not|dont|no longer) (?:want|wish) to (?:be (?:contacted|texted)"
                "|hear from you|be on (?:this|your|the) list)"
            ),
            "stop texting me",
        ),
        ("(?:do not|dont) send (?=again|anymore|any more)", "stop sending "),
        (
            (
                "i (?:already )?said (?:no )?(?=stop|unsubscribe)"
                "|(?:i |ive |i have |i keep )?(?:already )?(?:told|asked|asking|telling)"
                " (?:you|u) to (?=stop)"
            ),
            "",
        ),
        (
            (
                "for good|from now on|until further notice"
                "|for (?:gods?|fucks?|christs?|petes?) sake"
                "|for the love of god|straight ?away|as soon as (?:possible|you can)"
                "|with immediate effect|effective immediately"
            ),
            "",
        ),
        ("have a (?:nice|good|great) day", "bye"),
        (
            (
                "good (?:morning|afternoon|evening|day)|morning|god bless"
                "|(?:hi|hello|hey|hiya) there|to whom it may concern"
            ),
            "hello",
        ),
        ("cease(?: (?:and )?desist)?|desist from", "stop"),
        ("leave me alone", "stop it"),
        ("(?:i am|im|we are|were) (?:not|no longer) interested", "sorry"),
        ("(?:not|no longer) interested", "sorry"),
        (
            (
                "(?:this is |its |you have |you got |uve got |youve got )?"
                "(?:a |the )?wrong (?:number|person)"
            ),
            "sorry",
        ),
        ("(?:i beg|i am begging|im begging)(?: (?:you|u))?(?: to)?", "please"),
        (
            (
                "(?:this is |its |thats )?(?:not|this isnt|it isnt)"
                " (?:me|mine|for me|my (?:number|phone))"
            ),
            "sorry",
        ),
        ("(?:who (?:is|dis|the hell is)|whos) this|who dis|who are you", "sorry"),
        ("(?:yes|yeah|yep) (?=(?:please |pls )?(?:stop|unsubscribe|optout))", ""),
    )
)
_MAY_BE_REWRITTEN = QuickSearch(pattern.pattern for pattern, _ in REWRITES)
# A request to stop, or a question how to: the bare word may then mean something else.
ASKING = re.compile(
    r"^(?:(?:please|hi|hello|hey|ok|so|and|yes) )*(?:"
    r"(?:please )?(?:can|could|would|will|may) (?:you|u|we|i)(?: guys)?(?: please| pls| plz| just)*"
    r"|(?:i|we)(?: really| just)? (?:want|wish|need|like)(?: you| u| this| these| it)? to"
    r"|(?:i|we)(?: would|d)? like(?: you| u)? to|id like(?: you| u)? to"
    r"|how (?:do|can|to)(?: i| we| you)?|where (?:do|can) (?:i|we)(?= (?:unsub|opt))"
    r"|what (?:do|should|must) i do to"
    r"|(?:you|u) (?:need|have|must)(?: to)?|want to|wanna"
    r") "
)
# Beside these a STOP that stands alone speaks of texts; "Stop! In the name of love" does not.
PERSONAL = list_words(
    "i im ive id me my we us our you u your youre ur who this these it never not no dont didnt"
    " wrong number text texts texting spam why reported blocked blocking harassment"
    " police ico tps gdpr"
)
# Where a sentence ends; a line that goes on in small letters is part of the one before.
SENTENCE_END = re.compile(r"[.!?,;:]+\s+|\s+[-\u2013\u2014]\s+|\n(?![a-z])")
# Not to do it, or whether it was done.
TOLD_OF = re.compile(
    rf"\b(?:{NOT}|(?:did|have|has|had|why) (?:you|u|they|he|she|it)(?: \w+)?) "
    r"(?:stop|quit|cease|unsubscribe|optout|remove)\b"
)
_PATTERNS = " ".join([ASKING.pattern, *(pattern.pattern for pattern, _ in REWRITES)])
KNOWN = (
    POLITE
    | BAG
    | OPT_OUT_WORDS
    | OPT_IN_WORDS
    | {ANSWER_WORD}
    | frozenset(re.findall("[a-z]+", _PATTERNS))
)


def rewrite(words: Iterable[str]) -> str:
    """Folded words in those words that are understood, with a space between them."""
    text, done = " ".join(words), -1
    # Each in its turn, but only those that may change something.
    while left := [place for place in _MAY_BE_REWRITTEN.find(text) if place > done]:
        done = left[0]
        pattern, said = REWRITES[done]
        text = pattern.sub(said, text)
    return text
