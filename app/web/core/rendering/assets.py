"""Static files: cached for ever, under an address that contains a digest of them all."""

import hashlib
import re
from functools import cached_property
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from app.domain.errors import NotFound

ICON = "letterbox.svg"
# The icon with a number on it.
COUNTED_ICON = re.compile(r"letterbox-([0-9]{1,3})\.svg")
FOLDER = Path(__file__).parents[2] / "static"
TYPES = {
    "letterbox.css": "text/css",
    "panels.css": "text/css",
    "attention.js": "text/javascript",
    "keys.js": "text/javascript",
    "letterbox.js": "text/javascript",
    "live.js": "text/javascript",
    "parts.js": "text/javascript",
    "writing.js": "text/javascript",
    "zones.js": "text/javascript",
    ICON: "image/svg+xml",
}
# As large as the icon has room for.
MOST_ON_ICON = 99
BADGE = (
    '<circle cx="21" cy="21" r="11" fill="#b3261e"/><text x="21" y="26" fill="#fff" font-size="13"'
    ' font-family="sans-serif" font-weight="700" text-anchor="middle">{text}</text>'
)
FOR_EVER = "public, max-age=31536000, immutable"


class Assets:
    """Reads the files on first use.

    They share one digest, because a script names the modules that it imports by file name alone.
    """

    @cached_property
    def _files(self) -> dict[str, bytes]:
        return {name: (FOLDER / name).read_bytes() for name in TYPES}

    @cached_property
    def _digest(self) -> str:
        return hashlib.sha256(b"".join(self._files.values())).hexdigest()[:16]

    def make_path(self, name: str) -> str:
        """The address of a file, which changes with the content of any."""
        if name not in self._files:
            raise KeyError(name)
        return f"/static/{self._digest}/{name}"

    def draw_icon(self, count: int) -> bytes:
        """The icon with a number on it, as SVG; 0 for none."""
        icon = self._files[ICON]
        if not count:
            return icon
        text = str(count) if count <= MOST_ON_ICON else f"{MOST_ON_ICON}+"
        return icon.replace(b"</svg>", BADGE.format(text=text).encode() + b"</svg>")

    async def serve(self, request: Request) -> Response:
        """The file; a page of another release gets this release's, which it must not cache."""
        name: str = request.path_params["name"]
        counted = COUNTED_ICON.fullmatch(name)
        if counted:
            name, data = ICON, self.draw_icon(int(counted[1]))
        elif name in self._files:
            data = self._files[name]
        else:
            raise NotFound("no such file")
        is_this = request.path_params["digest"] == self._digest
        headers = {"Cache-Control": FOR_EVER if is_this else "no-cache"}
        return Response(data, media_type=TYPES[name], headers=headers)
