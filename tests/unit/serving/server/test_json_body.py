"""JSON as clients write it."""

from __future__ import annotations

import math

import pytest

from serving.server.errors import InvalidVectors
from serving.server.json_body import parsed


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_any_unicode_is_read(encoding: str) -> None:
    assert parsed('{"user_id": "kä"}'.encode(encoding)) == {"user_id": "kä"}


def test_numbers_that_json_lacks_are_left_to_the_check_of_the_vectors() -> None:
    values = parsed(b"[NaN, -Infinity]")
    assert isinstance(values, list)
    assert math.isnan(values[0])
    assert values[1] == -math.inf


@pytest.mark.parametrize("body", [b"{", b"inputs=1", b"\xff\xfe\xff", b"[" * 100_000, b"\x00", b"{'a': 1}"])
def test_what_is_no_json_is_refused_in_one_line(body: bytes) -> None:
    with pytest.raises(InvalidVectors, match="the body is not JSON") as refusal:
        parsed(body)
    assert len(str(refusal.value).splitlines()) == 1


def test_an_empty_body_is_named() -> None:
    with pytest.raises(InvalidVectors, match="the body is empty"):
        parsed(b"")
