"""Bodies packed by clients, and which packing an answer gets."""

from __future__ import annotations

import gzip
import zlib

import pytest

from serving.server import encodings
from serving.server.errors import InvalidVectors, TooLarge, UnsupportedEncoding

BODY = b'{"inputs": []}' * 100
#: Without the time, so that each process that collects the tests gives them the same names.
ZIPPED = gzip.compress(BODY, mtime=0)
LIMIT = 10_000


def bare(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(body) + packer.flush()


@pytest.mark.parametrize(
    ("packed", "header"),
    [
        (BODY, ""),
        (BODY, "identity"),
        (ZIPPED, "gzip"),
        (ZIPPED, " GZIP "),
        (ZIPPED, "x-gzip"),
        (gzip.compress(BODY[:70], mtime=0) + gzip.compress(BODY[70:], mtime=0), "gzip"),
        (zlib.compress(BODY), "deflate"),
        (bare(BODY), "deflate"),
        (zlib.compress(ZIPPED), "gzip, deflate"),
    ],
)
def test_what_clients_pack_is_unpacked(packed: bytes, header: str) -> None:
    assert encodings.unpacked(packed, header, LIMIT) == BODY


@pytest.mark.parametrize("header", ["br", "zstd", "compress", "gzip, br", "aws-chunked"])
def test_another_packing_names_the_way_out(header: str) -> None:
    with pytest.raises(UnsupportedEncoding, match="send the body plain, or packed with gzip or deflate"):
        encodings.unpacked(BODY, header, LIMIT)


@pytest.mark.parametrize("packed", [b"", BODY, ZIPPED[:-9], ZIPPED[:20]])
def test_a_body_that_is_not_what_its_header_says_is_refused(packed: bytes) -> None:
    with pytest.raises(InvalidVectors, match="the body is not gzip"):
        encodings.unpacked(packed, "gzip", LIMIT)


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress])
def test_a_small_body_that_unpacks_to_much_is_refused(pack: object) -> None:
    assert callable(pack)
    name = "gzip" if pack is gzip.compress else "deflate"
    assert len(encodings.unpacked(pack(bytes(LIMIT)), name, LIMIT)) == LIMIT
    with pytest.raises(TooLarge, match="unpacked"):
        encodings.unpacked(pack(bytes(LIMIT + 1)), name, LIMIT)


@pytest.mark.parametrize(
    ("header", "chosen"),
    [
        ("", None),
        ("identity", None),
        ("br, zstd", None),
        ("gzip", "gzip"),
        ("deflate", "deflate"),
        ("deflate, gzip, br, zstd", "gzip"),
        ("gzip;q=0.1, deflate;q=0.9", "deflate"),
        ("gzip;q=0", None),
        ("*", "gzip"),
        ("*;q=0", None),
        ("gzip;q=0.5, identity", None),
        ("gzip;q=1.2.3", None),
        ("x-gzip", "gzip"),
    ],
)
def test_an_answer_is_packed_as_the_client_likes(header: str, chosen: str | None) -> None:
    assert encodings.chosen(header) == chosen
    if chosen is not None:
        assert encodings.unpacked(encodings.packed(BODY, chosen), chosen, LIMIT) == BODY
