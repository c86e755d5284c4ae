"""Pages that have a password, and people who try one."""

from contextlib import AbstractAsyncContextManager
from pathlib import Path

from tests.web.visiting import Visitor, visiting

PASSWORD = "correct horse"


async def try_password(visitor: Visitor, password: str = PASSWORD, name: str = "Ada") -> int:
    answer = await visitor.post("/sign-in", {"name": name, "password": password})
    return answer.status_code


def guessing(database_url: str, folder: Path) -> AbstractAsyncContextManager[Visitor]:
    """Somebody who has not signed in, where the pages have a password."""
    return visiting(database_url, folder, name=None, admin_password=PASSWORD)
