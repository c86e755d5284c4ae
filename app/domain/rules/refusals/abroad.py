"""Words that providers of other countries have people send to refuse texts, each by itself."""

import unicodedata
from collections.abc import Iterable, Sequence

from app.domain.rules.refusals.words import POLITE, TEXTS, list_words


def _strip_accents(words: Iterable[str]) -> frozenset[str]:
    """Words as people type them without accents: arret, rezygnuje."""
    return frozenset(
        "".join(
            mark for mark in unicodedata.normalize("NFD", each) if not unicodedata.combining(mark)
        )
        for each in words
    )


_WORDS = _strip_accents(
    list_words(
        # French, Spanish, Portuguese, Italian
        "arret arreter arretez stopper desabonner desabonnez desabonnezmoi desinscrire"
        " desinscription baja alto parar pare sair cancelar descadastrar desinscrever"
        " basta disiscrivi disiscrivimi cancellami rimuovimi"
        # German, Dutch, Nordic
        " abmelden abbestellen austragen stopp stoppen afmelden uitschrijven uit avsluta avmeld"
        " avregistrer avbryt sluta slutt lopeta"
        # Polish, Hungarian, Romanian, Turkish, Irish, Welsh
        " wypisz rezygnuje leiratkozas leiratkozom dezabonare iptal ret stad stopio stopiwch"
        # Russian, Greek, Arabic, Hindi
        " \u0441\u0442\u043e\u043f \u043e\u0442\u043f\u0438\u0441\u0430\u0442\u044c\u0441\u044f"
        " \u043e\u0442\u043f\u0438\u0448\u0438\u0442\u0435 \u03c3\u03c4\u03bf\u03c0"
        " \u03b4\u03b9\u03b1\u03ba\u03bf\u03c0\u03b7"
        " \u03b1\u03c0\u03b5\u03b3\u03b3\u03c1\u03b1\u03c6\u03b7"
        " \u0627\u064a\u0642\u0627\u0641"
        " \u062a\u0648\u0642\u0641 \u0627\u0644\u063a\u0627\u0621"
        " \u092c\u0902\u0926 \u0930\u094b\u0915\u0947\u0902"
        # Chinese, Japanese
        " td \u9000\u8ba2 \u9000\u8a02 \u53d6\u6d88 \u505c\u6b62 \u914d\u4fe1\u505c\u6b62"
        # English, beside those that always refuse
        " delete discontinue terminate desist deregister unregister unfollow exit leave halt erase"
        " dnd"
    )
)
# What stands beside them, and what they refuse.
_BESIDE = _strip_accents(
    POLITE
    | TEXTS
    | list_words(
        "alle les los las des de d dar dame darme me moi mir mich mnie menvoyer mandar enviar aux"
        " pub mensajes mensagens mensaje nachrichten meddelanden berichten messaggi wiadomosci"
        " publicidad publicite "
        " \u043f\u043e\u0436\u0430\u043b\u0443\u0439\u0441\u0442\u0430"
        " \u043c\u0435\u043d\u044f \u0627\u0644\u0627\u0634\u062a\u0631\u0627\u0643"
        " \u0915\u0930\u094b \u0915\u0930\u0947\u0902 \u0915\u0940\u091c\u093f\u090f"
        " \u092e\u0948\u0938\u0947\u091c os gwelwch yn dda le do thoil this these list group"
    )
)


def is_refusal_abroad(words: Sequence[str]) -> bool:
    """Whether folded words are one of these and nothing else that would give it another sense."""
    if len(words) > 8:
        return False
    plain = frozenset(words) if "".join(words).isascii() else _strip_accents(words)
    return not _WORDS.isdisjoint(plain) and plain <= _WORDS | _BESIDE and len(plain & _WORDS) == 1
