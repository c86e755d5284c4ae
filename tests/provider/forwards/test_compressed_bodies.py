"""Bodies that are compressed: whole, cut off, and larger than is taken."""

import gzip
import tracemalloc
import zlib
from collections.abc import Callable

import pytest

from app.domain.errors import TooLarge
from app.provider.forwards.bodies import MAX_BYTES, inflate


def test_a_body_is_inflated_whatever_it_calls_itself() -> None:
    plain = b"auth=secret&msg=Hi"
    bare = zlib.compressobj(wbits=-15)
    deflated = bare.compress(plain) + bare.flush()
    for coding, body in (
        (b"gzip", gzip.compress(plain)),
        (b"X-GZip", gzip.compress(plain)),
        (b"", gzip.compress(plain)),
        (b"deflate", zlib.compress(plain)),
        (b"deflate", deflated),
        (b"deflate", gzip.compress(plain)),
        (b"gzip, deflate", zlib.compress(gzip.compress(plain))),
        (b"identity", plain),
        (b"gzip", plain),
        (b"deflate", plain),
        (b"br", plain),
    ):
        problems: set[str] = set()
        assert inflate(body, coding, problems) == plain
        assert problems == set()


def test_a_gzip_of_several_members_is_inflated_whole() -> None:
    first, second = gzip.compress(b"auth=secret"), gzip.compress(b"&msg=Hi")
    empty, padding = gzip.compress(b""), b"\r\n\0\0"
    for coding in (b"gzip", b""):
        for body in (first + second, empty + first + padding + second + empty + padding):
            problems: set[str] = set()
            assert inflate(body, coding, problems) == b"auth=secret&msg=Hi"
            assert problems == set()


@pytest.mark.parametrize("compress", [gzip.compress, zlib.compress])
def test_what_follows_a_compressed_body_is_kept(compress: Callable[[bytes], bytes]) -> None:
    problems: set[str] = set()
    assert inflate(compress(b"auth=secret") + b"&msg=Hi", b"gzip", problems) == (
        b"auth=secret&msg=Hi"
    )
    assert problems == {"charset"}


def test_many_members_are_bounded_like_one() -> None:
    with pytest.raises(TooLarge):
        inflate(gzip.compress(b"x" * 1_000) * 70, b"gzip", set())


def test_what_is_cut_off_is_inflated_as_far_as_it_goes() -> None:
    problems: set[str] = set()
    assert b"auth=secret&msg=Hi".startswith(
        inflate(gzip.compress(b"auth=secret&msg=Hi")[:-10], b"gzip", problems)
    )
    assert problems == {"charset"}


@pytest.mark.parametrize("size", [MAX_BYTES + 1, 50_000_000])
def test_what_inflates_to_more_than_is_taken_is_refused(size: int) -> None:
    assert len(inflate(gzip.compress(b"x" * MAX_BYTES), b"gzip", set())) == MAX_BYTES
    bomb = zlib.compress(b"\0" * size)
    tracemalloc.start()
    with pytest.raises(TooLarge):
        inflate(bomb, b"deflate", set())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000
