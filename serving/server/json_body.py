"""JSON bodies as clients write them, whatever media type they name."""

from __future__ import annotations

import json

import orjson

from serving.server.errors import InvalidVectors


def parsed(body: bytes | str) -> object:
    """Return the JSON value in ``body``. Raises InvalidVectors.

    NaN and Infinity are read, so that the check of the vectors can name their row and feature; so are a byte order mark and
    UTF-16, which programs on Windows write.
    """
    if not body:
        raise InvalidVectors("the body is empty; send JSON, as docs/serving.md shows")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as strict:
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            raise InvalidVectors(f"the body is not JSON ({strict}); send it as docs/serving.md shows") from strict
