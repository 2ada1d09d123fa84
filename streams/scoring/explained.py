"""Why an event cannot be read, with the way out: what producers get wrong most is told what to send instead."""

from __future__ import annotations

import msgspec

from features.base.active import DOMAIN, ROLES
from features.base.redaction import without_values

_TIME = "the time is epoch milliseconds: multiply seconds by 1,000, divide microseconds by 1,000"
_WHOLE = "a measure is a whole number, written without a fraction, in the smallest part of its unit"
_LEAVE_OUT = "leave the field out where there is nothing to say"
_MARK = "a JSON object begins the value; leave out a byte order mark, and send UTF-8"


def explained(error: Exception) -> Exception:
    """Return the error with the way out in its message, where that is known; else as it is. Values are not repeated."""
    hint = _hint(str(error)) if isinstance(error, msgspec.MsgspecError) else ""
    if hint and isinstance(error, msgspec.ValidationError):
        return msgspec.ValidationError(f"{error}; {hint}")
    if hint:
        return msgspec.DecodeError(f"{error}; {hint}")
    if ROLES.kind is not None and isinstance(error, msgspec.ValidationError) and str(error).endswith(f" - at `$.{ROLES.kind}`"):
        # What came instead may be anything, and is not repeated.
        return msgspec.ValidationError(f"{ROLES.kind} is one of {', '.join(ROLES.kinds)}: {without_values(error)}")
    return error


def _hint(message: str) -> str:
    if message.endswith("invalid character (byte 0)"):
        return _MARK
    if message.endswith(f" - at `$.{ROLES.time}`") and ("`int` >=" in message or "`int` <=" in message):
        return _TIME
    if message.endswith(f" - at `$.{ROLES.measure}`"):
        if "`int` >= 0" in message:
            return DOMAIN.negative_hint
        return _WHOLE if "got `float`" in message else ""
    return _LEAVE_OUT if "got `null`" in message else ""
