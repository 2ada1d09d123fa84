"""What a command says where it stops before its end: how far it came, and the way to go on."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from infra.errors import PlatformError


@contextmanager
def going_on(how: Callable[[], str]) -> Iterator[None]:
    """Run a block that writes; where it is interrupted or fails, say ``how`` far it came and how to go on.

    After Ctrl-C that is a line on stderr, otherwise the end of the error's message. What was raised goes on its way.
    """
    try:
        yield
    except KeyboardInterrupt:
        print(f"driftloop: interrupted. {how()}", file=sys.stderr)
        raise
    except PlatformError as error:
        error.args = (f"{error}. {how()}", *error.args[1:])
        raise
