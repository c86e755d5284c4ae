"""Many numbers, and a provider that answers for them."""

from collections.abc import Callable

import httpx2

# Numbers that mean nothing to the simulator.
CROWD = [f"447700900{each:03}" for each in range(20, 80)]
FEW = CROWD[:5]
Reply = Callable[[httpx2.Request], httpx2.Response]


def answer(text: str) -> Reply:
    """A provider that answers so to each Send, and has credits."""

    def reply(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, text=text if b"Action=Send" in request.content else "1000")

    return reply
