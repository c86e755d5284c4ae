"""How long what people write may be."""

from app.domain.errors import FaultCode, InvalidInput

LONGEST_NAME = 200
LONGEST_REASON = 500


def check_length(field: str, text: str | None, most: int, *, least: int = 0) -> None:
    """Raises InvalidInput for a text that is too short or too long; None is no text."""
    if text is None or least <= len(text) <= most:
        return
    wanted = f"{least} to {most}" if least else f"at most {most}"
    code: FaultCode = "too-short" if len(text) < least else "too-long"
    raise InvalidInput(f"write {wanted} characters", field=field, code=code)
