"""The words and phrases of which refusals are made; `refusals` says what they mean together."""

import re


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
    " bothering pestering harassing bugging annoying calling deals vouchers sending send sent"
)
# Only texts: CANCEL and END may be about many other things.
TEXTS_ALONE = list_words(
    "text texts texting txt txts txting textin message messages messaging msg msgs msging sms smses"
    " sending"
)
POINTERS = list_words("it that this these those them all any everything list lists database")
BETWEEN = list_words(
    "me us my our mine your yours ur the more further to from on getting get got"
    " receiving receive recieving recieve anymore ever phone mobile cell number numbers off with"
    " about by via in kind of or unwanted details future mailing crap rubbish shit junk stuff"
    " stupid system records"
)
# May be about more than texts: a person has to look.
DOUBTFUL = list_words("subscription subscriptions service services lol lmao haha hahaha ha")
BAG = TEXTS | POINTERS | BETWEEN | DOUBTFUL

PLAIN = frozenset({"stop", "stopall"})
LEAVE = frozenset({"unsubscribe", "optout", "remove"})
END = frozenset({"cancel", "end", "quit", "revoke"})

TEXT = "(?:" + "|".join(sorted(TEXTS, key=len, reverse=True)) + ")"
NOT = "(?:dont|do not|never|didnt|did not|doesnt|not)(?: to| you| ever)*"
ACT = "(?:text|txt|message|msg|contact|send|email|call|bother|ring)"
# I no longer wish to receive these messages
NO_WISH = (
    "(?:(?:i|we)? ?(?:really )?(?:dont|do not|no longer) (?:want|wish|need|wanna)|id rather not)"
    "(?: to)?(?: be| get| have| receive| receiving| getting)*"
    f"(?= (?:any |more |further |these |those |your |ur |the |this |of )*{TEXT}\\b)"
)
# Other phrases, replaced by the words above; applied in this order to folded words.
REWRITES = tuple(
    (re.compile(rf"\b(?:{pattern})\b"), words)
    for pattern, words in (
        ("(?:the |to )?(?:fuck|hell) ", ""),
        ("stop all", "stopall"),
        ("opt out|opting out", "optout"),
        ("optmeout", "optout me"),
        ("opt (me|us|this number|my number) out", r"optout \1"),
        ("un (stop|subscribe)", r"un\1"),
        ("unsub|unsubscribe|unsubscribing", "unsubscribe"),
        ("^(?:i am|im|i|we) (?=optout|unsubscribe)", ""),
        ("(?:take|get) (me|us|my number|this number) off", r"remove \1 from"),
        ("(?:delete|lose) (me|us|my number|this number)", r"remove \1"),
        ("(?:delete|remove|erase) (?:all )?(?:of )?my (?:data|details|info|name)", "remove me"),
        ("take my name off", "remove me from"),
        ("stop reply", "stop"),
        ("(?:i )?(?:revoke|withdraw) (?:my |all )?consent(?: to(?= ))?", "revoke"),
        ("be (?:taken off|removed)", "remove me"),
        (
            rf"(?:do not|dont|never) (?:ever )?(?:{ACT} or )?{ACT} (me|us|my|this|any)",
            r"stop texting \1",
        ),
        ("(?:do not|dont|never) (?:text|txt|message|msg|contact)(?= again|$)", "stop texting"),
        (f"no (?:more|further)(?= (?:of )?(?:these |those |the |your |ur )?{TEXT}\\b)", "stop"),
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
                "i (?:already )?said (?=stop|unsubscribe)"
                "|(?:i |ive |i have |i keep )?(?:already )?(?:told|asked|asking|telling)"
                " (?:you|u) to (?=stop)"
            ),
            "",
        ),
        ("for good|from now on|until further notice|for (?:gods|fucks|christs|petes) sake", ""),
        ("have a (?:nice|good|great) day", "bye"),
        ("good (?:morning|afternoon|evening|day)|morning|god bless", "hello"),
        ("cease(?: and desist)?", "stop"),
        ("leave me alone", "stop it"),
        ("(?:i am|im|we are|were) (?:not|no longer) interested", "sorry"),
        ("(?:not|no longer) interested", "sorry"),
        (
            "(?:this is |its |you have |you got |uve got )?(?:a |the )?wrong (?:number|person)",
            "sorry",
        ),
        ("who (?:is this|are you)", "sorry"),
        ("(?:yes|yeah|yep) (?=(?:please |pls )?(?:stop|unsubscribe|optout))", ""),
    )
)
# Whether any of them changes a text: one search instead of many.
REWRITTEN = re.compile("|".join(pattern.pattern for pattern, _ in REWRITES))
# A request to stop, or a question how to: the bare word may then mean something else.
ASKING = re.compile(
    r"^(?:(?:please|hi|hello|hey|ok|so|and|yes) )*(?:"
    r"(?:please )?(?:can|could|would|will) (?:you|u|we|i)(?: guys)?(?: please| pls| plz| just)*"
    r"|(?:i|we)(?: really| just)? (?:want|wish|need|like)(?: you| u| this| these| it)? to"
    r"|(?:i|we)(?: would|d)? like(?: you| u)? to|id like(?: you| u)? to"
    r"|how (?:do|can|to)(?: i| we| you)?|(?:you|u) (?:need|have|must)(?: to)?|want to|wanna"
    r") "
)
SURE_PHRASE = re.compile(
    r"\b(?:stop|quit|cease) (?:\w+ )?(?:send|text|txt|messag|msg|contact|spam)\w*"
    r" (?:\w+ )?(?:me|us)\b"
    r"|\b(?:stop|quit) (?:texting|txting|messaging|spamming|contacting)"
    r"(?: (?:this|my) \w+| him| her)?$|\b(?:please|pls|plz) stop$"
    r"|^(?:please )?stop (?:(?:(?:it|this|now) )*(?:or|otherwise)|i|im|ive|who|why|you|u)\b"
    r"|\b(?:texting|txting|messaging|contacting|spamming) (?:me|us) stop$|\bto say stop$"
    r"|\bmake (?:it|this|them|these \w+|the \w+) stop(?: please)?$|^(?:reply|send|text|txt) stop$"
    r"|\bunsubscribe me\b|\boptout me\b|\bremove (?:me|my number) from"
    r" (?!the waiting)(?:\w+ ){0,3}(?:lists?|database|texts|messages|marketing)\b"
    r"|^(?:i have |ive |i )?(?:already )?opted out(?: already| before)?$"
    r"|^(?:please )?no (?:more|(?:more )?(?:texts|txts|spam|marketing))"
    r"(?: please| thanks| of these)?$"
    r"|^(?:go away|get lost|(?:fuck|piss|f|sod|bugger) off)$"
)
# What providers of other countries have people send, each by itself.
ABROAD = list_words(
    "arret arr\u00eat arreter desabonner d\u00e9sabonner desinscription baja alto parar pare sair"
    " cancelar abmelden abbestellen stopp stoppen afmelden uit avsluta basta wypisz rezygnuje"
    " \u0441\u0442\u043e\u043f \u03c3\u03c4\u03bf\u03c0"
    " td \u9000\u8ba2 \u9000\u8a02 \u505c\u6b62 \u914d\u4fe1\u505c\u6b62"
)
# Beside these a STOP that stands alone speaks of texts; "Stop! In the name of love" does not.
PERSONAL = list_words(
    "i im ive id me my we us our you u your youre ur who this these it never not no dont didnt"
    " wrong number text texts texting spam why"
)
# Where a sentence ends; a line that goes on in small letters is part of the one before.
SENTENCE_END = re.compile(r"[.!?,;:]+\s+|\s+[-\u2013\u2014]\s+|\n(?![a-z])")
# Not to do it, or whether it was done.
TOLD_OF = re.compile(
    rf"\b(?:{NOT}|(?:did|have|has|had|why) (?:you|u|they|he|she|it)(?: \w+)?) "
    r"(?:stop|quit|cease|unsubscribe|optout|remove)\b"
)
HINTS = list_words(
    "stop quit cease unsub unsubscribe opt opted optout remove take get delete no go fuck piss f"
    " sod bugger anything"
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
