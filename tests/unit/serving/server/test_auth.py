from __future__ import annotations

import pytest

from serving.server.auth import Token


@pytest.mark.parametrize(
    ("header", "allowed"),
    [
        ("Bearer secret", True),
        (b"bearer secret", True),
        ("BEARER  secret", True),
        ("Bearer Secret", False),
        ("Basic secret", False),
        ("secret", False),
        ("Bearer", False),
        ("", False),
        (None, False),
    ],
)
def test_only_the_token_passes(header: str | bytes | None, allowed: bool) -> None:
    assert Token("secret").allows(header) is allowed
