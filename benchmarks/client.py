"""One keep-alive connection to a Letterbox's REST API, timed from request to last byte."""

import http.client
import json
import time
from typing import Any


class AnsweredOddlyError(RuntimeError):
    """Another status than 200; the text carries the path and the answer."""


class Client:
    """Closed by whoever made it."""

    def __init__(self, port: int, api_key: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        self._headers = {"Authorization": f"Bearer {api_key}"}

    def get(self, path: str) -> Any:
        """The JSON of an answer."""
        return self.time(path)[1]

    def time(self, path: str) -> tuple[float, Any]:
        """Seconds from request to last byte, and the JSON. Raises AnsweredOddlyError."""
        began = time.perf_counter()
        self._connection.request("GET", path, headers=self._headers)
        response = self._connection.getresponse()
        body = response.read()
        took = time.perf_counter() - began
        if response.status != http.client.OK:
            raise AnsweredOddlyError(f"{path}: {response.status} {body[:500]!r}")
        return took, json.loads(body)

    def close(self) -> None:
        self._connection.close()
