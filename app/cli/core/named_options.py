"""Errors about a field name the option as it is typed: `--schedule-at`, not `schedule_at`."""

import re
from collections.abc import Mapping
from typing import Any

from typer.core import TyperCommand

from app.domain.errors import Fault, InvalidFields, InvalidInput


class PlainCommand(TyperCommand):
    """A command whose errors name its options."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except InvalidInput as error:
            options = _list_options(self.params)
            if isinstance(error, InvalidFields):
                found = [_name_fault(each, options) for each in error.found]
                raise InvalidFields(found) from None
            text = _name(str(error), error.field or "", options)
            if text == str(error):
                raise
            raise InvalidInput(text, field=error.field, code=error.code) from None


def _list_options(params: Any) -> Mapping[str, str]:
    """Each option as it is typed, by the names that a field may have."""
    options = {}
    for each in params:
        if each.param_type_name == "option":
            typed = each.opts[0]
            options[each.name] = options[typed.lstrip("-").replace("-", "_")] = typed
    return options


def _name_fault(fault: Fault, options: Mapping[str, str]) -> Fault:
    option = _find(fault.field, options) or fault.field
    return fault._replace(field=option, text=_replace_names(fault.text, options))


def _name(text: str, field: str, options: Mapping[str, str]) -> str:
    text, option = _replace_names(text, options), _find(field, options)
    return text if option is None or option in text else f"{option}: {text}"


def _find(field: str, options: Mapping[str, str]) -> str | None:
    """The option of a field; `quiet_from` may be a part of what `--quiet` sets."""
    return options.get(field) or options.get(field.partition("_")[0])


def _replace_names(text: str, options: Mapping[str, str]) -> str:
    """A word with an underscore can only be a field's name."""
    return re.sub(r"\b[a-z]+(?:_[a-z]+)+\b", lambda word: options.get(word[0], word[0]), text)
