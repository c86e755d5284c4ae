"""Static files: cached for ever, under an address that contains their digest."""

import hashlib
from functools import cached_property
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from app.domain.errors import NotFound

FOLDER = Path(__file__).parents[1] / "static"
TYPES = {
    "letterbox.css": "text/css",
    "panels.css": "text/css",
    "letterbox.js": "text/javascript",
    "zones.js": "text/javascript",
    "letterbox.svg": "image/svg+xml",
}
FOR_EVER = "public, max-age=31536000, immutable"


class Assets:
    """Reads the files on first use."""

    @cached_property
    def _files(self) -> dict[str, tuple[str, bytes]]:
        read = {name: (FOLDER / name).read_bytes() for name in TYPES}
        return {name: (hashlib.sha256(data).hexdigest()[:16], data) for name, data in read.items()}

    def make_path(self, name: str) -> str:
        """The address of a file, which changes with its content."""
        return f"/static/{self._files[name][0]}/{name}"

    async def serve(self, request: Request) -> Response:
        """The file; a page of another release gets this release's, which it must not cache."""
        name = request.path_params["name"]
        if name not in self._files:
            raise NotFound("no such file")
        digest, data = self._files[name]
        is_this = request.path_params["digest"] == digest
        return Response(
            data,
            media_type=TYPES[name],
            headers={"Cache-Control": FOR_EVER if is_this else "no-cache"},
        )
