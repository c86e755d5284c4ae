"""The provider's error codes: what each says, and which class of error it is."""

from collections.abc import Sequence

from app.domain.provider_errors import (
    AccountError,
    AmbiguousError,
    CodeError,
    DailyLimitError,
    MaintenanceError,
    PartlyTakenError,
    PermanentError,
    RefusedNumberError,
)
from app.provider.quoting import clip

# Provider's page, "Error Codes", and below GetBGMessages for the last three of the 520s.
CODE_TEXTS = {
    -100: "Not Enough Credits",
    -101: "Invalid CreditID",
    -200: "Invalid Contact",
    -300: "General Database Error",
    -301: "Unknown Error",
    -302: "Return XML Error",
    -303: "Received XML Error",
    -400: "Some numbers in list failed",
    -401: "Invalid Destination Address",
    -402: "Invalid Source Address - Alphanumeric too long",
    -403: "Invalid Source Address - Invalid Number",
    -404: "Blank Body",
    -405: "Invalid Validity Period",
    -406: "No Route Available",
    -407: "Invalid Schedule Date",
    -408: "Distribution List is Empty",
    -409: "Group is Empty",
    -410: "Invalid Distribution List",
    -411: "You have exceeded the limit of messages you can send in a single day to a single number",
    -412: "Number is blacklisted",
    -414: "Invalid Group",
    -501: "Unknown Username/Password",
    -502: "Unknown Action",
    -503: "Unknown Message ID",
    -504: "Invalid From Timestamp",
    -505: "Invalid To Timestamp",
    -506: "Source Address Not Allowed (Email2SMS)",
    -507: "Invalid/Missing Details",
    -508: "Error Creating User",
    -509: "Unknown/Invalid User",
    -510: "You cannot set a user's credits to be less than 0",
    -511: "The system is down for maintenance",
    -512: "User Suspended",
    -513: "License in use",
    -514: "License expired",
    -515: "No License available",
    -516: "Unknown List",
    -517: "Unable to create List",
    -518: "Blank or Invalid Source Address",
    -519: "Blank Message Body",
    -520: "Unknown Group",
    -521: "Unknown Background Send ID",
    -522: "Background Send Not Finished",
    -523: "No messages were found",
    -601: "Unknown Report Type",
    -701: "No UserID Specified",
    -702: "Invalid Amount Specified",
    -703: "Invalid Currency Requested",
}

UNKNOWN_ACTION = -502
NOT_ENOUGH_CREDITS = -100
UNKNOWN_MESSAGE = -503
UNKNOWN_USER = -509
UNKNOWN_GROUP = -520
UNKNOWN_SEND = -521
BACKGROUND_SEND_NOT_FINISHED = -522
NO_MESSAGES = -523

# Every code that is not here, known or not, is permanent.
_ERRORS: dict[int, type[CodeError]] = {
    **dict.fromkeys((-100, -501, -512, -513, -514, -515), AccountError),
    **dict.fromkeys((-300, -301, -302), AmbiguousError),
    -400: PartlyTakenError,
    -411: DailyLimitError,
    -412: RefusedNumberError,
    -511: MaintenanceError,
}

_LONGEST_LINE = 200
# CreateUser writes a line about each invalid field; nothing writes more.
_SAID_LINES = 12

_ADVICE = {
    -100: "buy credits in NetMessenger",
    -501: "the token is wrong, or changed with the account's password:"
    " copy it again from NetMessenger's settings",
    -512: "ask the provider why the account is suspended",
}


def make_code_error(code: int, lines: Sequence[str] = ()) -> CodeError:
    """The typed error of a code; `lines` are what the provider wrote beneath it."""
    words = [clip(line.strip(), _LONGEST_LINE) for line in lines if line.strip()]
    provider_text = words[0] if words else CODE_TEXTS.get(code, "a code its page does not list")
    text = f"The provider answered {code}: {'; '.join(words[:_SAID_LINES]) or provider_text}"
    if code in _ADVICE:
        text += f" ({_ADVICE[code]})"
    error = _ERRORS.get(code, PermanentError)
    return error(text, code=code, provider_text=provider_text, details=tuple(words))
