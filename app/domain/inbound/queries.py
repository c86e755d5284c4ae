"""What messages can be searched by, decided in one place for both databases."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from app.domain.keywords import fold_text


@dataclass(frozen=True, slots=True)
class MessageFilter:
    """All conditions that are not None must hold.

    `since` is inclusive and `until` exclusive, both of received_at; `words` are folded, and each
    must be a substring of the body.
    """

    source: str | None = None
    dest: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    words: tuple[str, ...] = ()
    problem: str | None = None
    has_problems: bool | None = None
    via: str | None = None
    unread: bool | None = None
    outcome: str | None = None
    rule_id: int | None = None
    provider_id: str | None = None
    merge_fields: Mapping[str, str] = field(default_factory=dict)

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns that `matches` looks at."""
        looked_at = {
            "source": self.source is not None,
            "dest": self.dest is not None,
            "received_at": self.since is not None or self.until is not None,
            "body": bool(self.words),
            "problems": self.problem is not None or self.has_problems is not None,
            "via": self.via is not None,
            "read_at": self.unread is not None,
            "outcome_code": self.outcome is not None,
            "rule_id": self.rule_id is not None,
            "provider_id": self.provider_id is not None,
            "merge_fields": bool(self.merge_fields),
        }
        return tuple(name for name, needed in looked_at.items() if needed)

    def matches(self, message: Any) -> bool:
        """Whether a row with those columns meets the conditions."""
        return (
            (self.source is None or message.source == self.source)
            and (self.dest is None or message.dest == self.dest)
            and (self.since is None or message.received_at >= self.since)
            and (self.until is None or message.received_at < self.until)
            and (self.via is None or message.via == self.via)
            and (self.unread is None or (message.read_at is None) == self.unread)
            and (self.outcome is None or message.outcome_code == self.outcome)
            and (self.rule_id is None or message.rule_id == self.rule_id)
            and (self.provider_id is None or message.provider_id == self.provider_id)
            and (self.has_problems is None or bool(message.problems) == self.has_problems)
            and (self.problem is None or self.problem in message.problems.split())
            and self._has_merge_fields(message)
            and self._has_words(message)
        )

    def _has_merge_fields(self, message: Any) -> bool:
        return all(message.merge_fields.get(k) == v for k, v in self.merge_fields.items())

    def _has_words(self, message: Any) -> bool:
        if not self.words:
            return True
        folded = fold_text(message.body)
        return all(word in folded for word in self.words)


def fold_words(q: str) -> tuple[str, ...]:
    """The folded words of a search."""
    return tuple(fold_text(q).split())
