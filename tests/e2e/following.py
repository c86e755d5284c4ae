"""Follows a service's events while things happen to it."""

import http.client
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from threading import Thread
from typing import Any

from tests.support.service import API_KEY, Service


@contextmanager
def following(service: Service) -> Iterator[list[str]]:
    """What comes by Server-Sent Events, line by line."""
    lines: list[str] = []
    stream = http.client.HTTPConnection("127.0.0.1", service.port, timeout=60)
    stream.request("GET", "/api/v1/events", headers={"Authorization": f"Bearer {API_KEY}"})
    answer = stream.getresponse()
    Thread(target=_read_lines, args=(answer, lines), daemon=True).start()
    with closing(stream):
        yield lines


def _read_lines(answer: Any, lines: list[str]) -> None:
    with suppress(OSError, ValueError, AttributeError):  # the test closes it
        lines.extend(line.decode() for line in answer)
