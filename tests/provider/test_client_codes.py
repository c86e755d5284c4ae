"""Every error code of the provider's page: its type, its class, and what became of the call."""

import pytest

from app.domain.outbound.requests import OutgoingText
from app.domain.outbound.send_outcomes import ErrorClass, SendOutcome
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
from tests.support.endpoints.wire_server import answer
from tests.support.provider import calling

# Written out from the page, not taken from the code under test.
PAGE = """
-100 Not Enough Credits
-101 Invalid CreditID
-200 Invalid Contact
-300 General Database Error
-301 Unknown Error
-302 Return XML Error
-303 Received XML Error
-400 Some numbers in list failed
-401 Invalid Destination Address
-402 Invalid Source Address - Alphanumeric too long
-403 Invalid Source Address - Invalid Number
-404 Blank Body
-405 Invalid Validity Period
-406 No Route Available
-407 Invalid Schedule Date
-408 Distribution List is Empty
-409 Group is Empty
-410 Invalid Distribution List
-411 You have exceeded the limit of messages you can send in a single day to a single number
-412 Number is blacklisted
-414 Invalid Group
-501 Unknown Username/Password
-502 Unknown Action
-503 Unknown Message ID
-504 Invalid From Timestamp
-505 Invalid To Timestamp
-506 Source Address Not Allowed (Email2SMS)
-507 Invalid/Missing Details
-508 Error Creating User
-509 Unknown/Invalid User
-510 You cannot set a user's credits to be less than 0
-511 The system is down for maintenance
-512 User Suspended
-513 License in use
-514 License expired
-515 No License available
-516 Unknown List
-517 Unable to create List
-518 Blank or Invalid Source Address
-519 Blank Message Body
-520 Unknown Group
-521 Unknown Background Send ID
-522 Background Send Not Finished
-523 No messages were found
-601 Unknown Report Type
-701 No UserID Specified
-702 Invalid Amount Specified
-703 Invalid Currency Requested
"""
CODES = {int(line[:4]): line[5:] for line in PAGE.strip().splitlines()}

SPECIAL = {
    -100: (AccountError, ErrorClass.ACCOUNT, SendOutcome.REFUSED),
    -501: (AccountError, ErrorClass.ACCOUNT, SendOutcome.REFUSED),
    -512: (AccountError, ErrorClass.ACCOUNT, SendOutcome.REFUSED),
    -513: (AccountError, ErrorClass.ACCOUNT, SendOutcome.REFUSED),
    -514: (AccountError, ErrorClass.ACCOUNT, SendOutcome.REFUSED),
    -515: (AccountError, ErrorClass.ACCOUNT, SendOutcome.REFUSED),
    -511: (MaintenanceError, ErrorClass.PASSING, SendOutcome.REFUSED),
    -411: (DailyLimitError, ErrorClass.DAILY_LIMIT, SendOutcome.REFUSED),
    -412: (RefusedNumberError, ErrorClass.REFUSED_NUMBER, SendOutcome.REFUSED),
    -300: (AmbiguousError, ErrorClass.AMBIGUOUS, SendOutcome.UNKNOWN),
    -301: (AmbiguousError, ErrorClass.AMBIGUOUS, SendOutcome.UNKNOWN),
    -302: (AmbiguousError, ErrorClass.AMBIGUOUS, SendOutcome.UNKNOWN),
    -400: (PartlyTakenError, ErrorClass.PARTLY_TAKEN, SendOutcome.UNKNOWN),
}
PERMANENT = (PermanentError, ErrorClass.PERMANENT, SendOutcome.REFUSED)


@pytest.mark.parametrize("code", [*CODES, -413, -999])
async def test_code_is_an_error_of_its_type_class_and_outcome(code: int) -> None:
    async with calling(answer(str(code))) as (client, _):
        with pytest.raises(CodeError) as caught:
            await client.send(OutgoingText("API", "Hello"), "447700900001")

    error = caught.value
    assert (type(error), error.error_class, error.outcome) == SPECIAL.get(code, PERMANENT)
    assert error.code == code
    assert error.provider_text == CODES.get(code, "a code its page does not list")
    assert str(error).startswith(f"The provider answered {code}: {error.provider_text}")


async def test_text_beneath_the_code_is_the_providers_own() -> None:
    async with calling(answer("-401\r\n<b>Bad</b> number\r\n")) as (client, _):
        with pytest.raises(PermanentError) as caught:
            await client.delete_all_groups()

    assert caught.value.provider_text == "<b>Bad</b> number"


async def test_unknown_token_says_where_to_get_the_new_one() -> None:
    async with calling(answer("-501")) as (client, _):
        with pytest.raises(AccountError, match="changed with the account's password"):
            await client.check_credits()


async def test_report_raises_the_code_that_comes_in_place_of_a_csv() -> None:
    async with calling(answer("-601\nUnknown Report Type\n")) as (client, _):
        with pytest.raises(PermanentError, match="-601: Unknown Report Type") as caught:
            async with client.open_report("Outbox"):
                pass

    assert caught.value.code == -601
