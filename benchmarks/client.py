"""One keep-alive connection to a Letterbox, timed from request to last byte."""

import http.client
import json
import time
from typing import Any


class AnsweredOddlyError(RuntimeError):
    """Another status than 200; the text carries the path and the answer."""


class Client:
    """`session` is the token of someone signed in to the pages."""

    def __init__(self, port: int, api_key: str, session: str = "") -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        self._headers = {
            "Authorization": f"Bearer {api_key}",
            "Cookie": f"letterbox_session={session}",
        }

    def get(self, path: str) -> Any:
        """The JSON of an answer."""
        return self.time(path)[1]

    def time(self, path: str) -> tuple[float, Any]:
        """Seconds from request to last byte, and the JSON or the text.

        Raises AnsweredOddlyError.
        """
        began = time.perf_counter()
        self._connection.request("GET", path, headers=self._headers)
        response = self._connection.getresponse()
        body = response.read()
        took = time.perf_counter() - began
        if response.status != http.client.OK:
            raise AnsweredOddlyError(f"{path}: {response.status} {body[:500]!r}")
        is_json = "json" in response.headers.get("Content-Type", "")
        return took, json.loads(body) if is_json else body.decode()

    def close(self) -> None:
        self._connection.close()
