"""Packed bodies: what a request's Content-Encoding says is undone, an answer is packed as Accept-Encoding asks. Pure."""

from __future__ import annotations

import re
import zlib

from serving.server.errors import InvalidVectors, TooLarge, UnsupportedEncoding

#: What is taken and given; the first one wins where a client likes both.
TAKEN = ("gzip", "deflate")
_ALIASES = {"x-gzip": "gzip"}
_GZIP, _ZLIB, _BARE = 31, 15, -15
#: Packing costs the event loop more at higher levels, and scores shrink little by it.
_LEVEL = 1


def check(content_encoding: str) -> list[str]:
    """Return the names in the header that are more than "plain", aliases replaced. Raises UnsupportedEncoding."""
    names = [part.strip().lower() for part in content_encoding.split(",")]
    names = [_ALIASES.get(name, name) for name in names if name not in {"", "identity"}]
    if unknown := [name for name in names if name not in TAKEN]:
        message = f"the header Content-Encoding is '{unknown[0][:40]}'; send the body plain, or packed with {' or '.join(TAKEN)}"
        raise UnsupportedEncoding(message)
    return names


def unpacked(body: bytes, content_encoding: str, limit: int) -> bytes:
    """Return ``body`` with what ``content_encoding`` names undone, the last first.

    Raises UnsupportedEncoding, InvalidVectors where the body is not what the header says, and TooLarge beyond ``limit`` bytes.
    """
    for name in reversed(check(content_encoding)):
        try:
            body = _inflated(body, _GZIP if name == "gzip" else _ZLIB, limit)
        except zlib.error as error:
            message = f"the body is not {name}, as its header Content-Encoding says ({error}); pack it anew or leave that out"
            raise InvalidVectors(message) from error
    return body


def chosen(accept_encoding: str) -> str | None:
    """Return what of ``TAKEN`` the header likes best, None for a plain answer."""
    weights: dict[str, float] = {}
    for part in accept_encoding.lower().split(","):
        name, _, rest = part.strip().partition(";")
        weight = re.search(r"(?:^|;)\s*q\s*=\s*([0-9.]+)", rest)
        try:
            weights[_ALIASES.get(name.strip(), name.strip())] = float(weight[1]) if weight else 1.0
        except ValueError:
            # A weight such as 1.2.3 is no wish.
            continue
    liked = {name: weights.get(name, weights.get("*", 0.0)) for name in TAKEN}
    best = max(TAKEN, key=lambda name: liked[name])
    return best if liked[best] > 0.0 and liked[best] >= weights.get("identity", 0.0) else None


def packed(body: bytes, encoding: str) -> bytes:
    """Return ``body`` packed with one of ``TAKEN``."""
    packer = zlib.compressobj(_LEVEL, wbits=_GZIP if encoding == "gzip" else _ZLIB)
    return packer.compress(body) + packer.flush()


def _inflated(body: bytes, window: int, limit: int) -> bytes:
    """Undo one packing. Raises zlib.error, and TooLarge before more than ``limit`` bytes are held."""
    if window == _ZLIB and not _has_zlib_header(body):
        # "deflate" is zlib's format by RFC 9110, and the bare one by what many clients send.
        window = _BARE
    made = bytearray()
    while True:
        stream = zlib.decompressobj(window)
        made += stream.decompress(body, limit + 1 - len(made))
        if len(made) > limit:
            megabytes = limit // 1024 // 1024
            raise TooLarge(f"the body is larger than {megabytes} MB unpacked; send fewer rows at a time, or raw tensors")
        if not stream.eof:
            raise zlib.error("it is cut off")
        # A gzip file may be several in a row.
        body = stream.unused_data
        if not body:
            return bytes(made)


def _has_zlib_header(body: bytes) -> bool:
    return len(body) >= 2 and body[0] & 0x0F == 8 and int.from_bytes(body[:2], "big") % 31 == 0
