"""Which domain this process serves, by its name: read before any module of a domain is loaded (``features.base.active``)."""

from __future__ import annotations

import os

DOMAIN_VARIABLE = "DRIFTLOOP_DOMAIN"
#: Where nothing else is said.
DEFAULT_DOMAIN = "card_fraud"


def serving() -> str:
    """Return the name of the domain that this process serves."""
    return os.environ.get(DOMAIN_VARIABLE) or DEFAULT_DOMAIN
