"""Reads a request's body from the bytes after its head, by its length or by its chunks."""

from typing import Literal

from app.api.http.request_head import BadRequest

# A chunk's size with its extensions, or a trailer.
MAX_LINE_BYTES = 8 * 1024
_HEX = frozenset(b"0123456789abcdefABCDEF")


class BodyReader:
    """Takes bytes as they arrive; `is_complete` once the body has ended.

    Trailers are ignored: a proxy checks the headers that it passes on, but perhaps not the
    trailers.
    """

    __slots__ = ("_left", "_line", "_newline", "_part", "is_complete")

    def __init__(self, length: int | None, *, newline: bytes = b"\r\n") -> None:
        """`length` is None for chunks; `newline` is the line ending of the head."""
        self._left = length or 0
        self._line = b""
        self._newline = newline
        self._part: Literal["length", "size", "chunk", "end", "trailer"] = (
            "size" if length is None else "length"
        )
        self.is_complete = length == 0

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """Split data into bytes of the body and bytes after it. Raises BadRequest."""
        if self._part != "length":
            return self._feed_chunks(data)
        taken = data[: self._left]
        self._left -= len(taken)
        self.is_complete = not self._left
        return taken, data[len(taken) :]

    def _feed_chunks(self, data: bytes) -> tuple[bytes, bytes]:
        data, self._line = self._line + data, b""
        newline = self._newline
        found: list[bytes] = []
        at = 0
        while not self.is_complete:
            if self._part == "chunk":
                piece = data[at : at + self._left]
                found.append(piece)
                at += len(piece)
                self._left -= len(piece)
                if self._left:
                    return b"".join(found), b""
                self._part = "end"
            line_end = data.find(newline, at)
            if line_end < 0:
                self._line = data[at:]
                if len(self._line) > MAX_LINE_BYTES:
                    raise BadRequest("a line among the chunks is too long")
                if b"\n" in self._line:
                    raise BadRequest("the head's lines end with CRLF, and the chunks' with LF")
                return b"".join(found), b""
            self._read_line(data[at:line_end])
            at = line_end + len(newline)
        return b"".join(found), data[at:]

    def _read_line(self, line: bytes) -> None:
        if self._part == "size":
            self._left = _read_size(line)
            self._part = "chunk" if self._left else "trailer"
        elif self._part == "end":
            if line:
                raise BadRequest("a chunk is longer than its size")
            self._part = "size"
        elif not line:
            self.is_complete = True


def _read_size(line: bytes) -> int:
    digits = line.partition(b";")[0].rstrip(b" \t")
    if not 0 < len(digits) <= 16 or not _HEX.issuperset(digits) or b"\n" in line or b"\r" in line:
        raise BadRequest("a chunk's size is not a number")
    return int(digits, 16)
