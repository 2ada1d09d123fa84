"""The bearer token of the model server: who may ask for scores."""

from __future__ import annotations

import hmac
from pathlib import Path

from features.base.settings import SettingsError


class Token:
    """Compares in constant time, so that the time of an answer says nothing about the token."""

    def __init__(self, value: str) -> None:
        self._expected = value.encode()

    def allows(self, authorization: str | bytes | None) -> bool:
        """Tell whether this is the value of an ``authorization`` header that may pass."""
        if authorization is None:
            return False
        given = authorization.encode() if isinstance(authorization, str) else authorization
        scheme, _, value = given.partition(b" ")
        # The scheme's name may be written in any case (RFC 9110, 11.1); the token may not.
        return scheme.lower() == b"bearer" and hmac.compare_digest(value.strip(), self._expected)


def read(path: Path) -> str:
    """Read the token in the file. Raises SettingsError where there is none."""
    try:
        value = path.read_text().strip()
    except OSError as error:
        raise SettingsError(f"the token file {path} cannot be read ({error.strerror}); 'driftloop up' makes one") from error
    if not value:
        raise SettingsError(f"the token file {path} is empty; remove it, and 'driftloop up' makes one")
    return value
