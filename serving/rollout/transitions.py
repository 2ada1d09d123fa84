"""The rollout as a pure state machine: from a serving document and something that happened to the next document.

::

    nothing --registered--> champion
    champion --registered--> champion + shadow --N transactions scored--> shadow becomes champion
    any --rollback--> the named version is champion, no shadow

Each function returns the same object where nothing changes, and a document of the next generation where something does;
so a message that is delivered twice does no harm.
"""

from __future__ import annotations

import msgspec

from serving.store.document import ServingDocument


def on_registered(document: ServingDocument, version: str, shadow_transactions: int) -> ServingDocument:
    """Take in a version that passed the gate.

    The first is served at once; later ones go into shadow for ``shadow_transactions`` (0: none). A version
    that is in shadow already makes way. Raises ValueError where ``shadow_transactions`` is negative.
    """
    if shadow_transactions < 0:
        raise ValueError(f"shadow_transactions is {shadow_transactions}; give 0 (promote at once) or more")
    if version in (document.champion, document.shadow):
        return document
    if document.champion is None or shadow_transactions == 0:
        return _next(document, champion=version, shadow=None, shadow_transactions=0)
    return _next(document, champion=document.champion, shadow=version, shadow_transactions=shadow_transactions)


def on_shadow_progress(document: ServingDocument, count: int) -> ServingDocument:
    """Promote the shadow once the ``count`` transactions that it has scored are enough."""
    if document.shadow is None or count < document.shadow_transactions:
        return document
    return _next(document, champion=document.shadow, shadow=None, shadow_transactions=0)


def rollback(document: ServingDocument, version: str, key: str) -> ServingDocument:
    """Serve ``version``, and nothing beside it, from now on. ``key`` names the roll-back: each is carried out once."""
    served_alone = document.champion == version and document.shadow is None and document.challenger is None
    if document.rollback == key or served_alone:
        return document
    following = _next(document, champion=version, shadow=None, shadow_transactions=0)
    return msgspec.structs.replace(following, rollback=key)


def _next(document: ServingDocument, *, champion: str | None, shadow: str | None, shadow_transactions: int) -> ServingDocument:
    return msgspec.structs.replace(
        document,
        generation=document.generation + 1,
        champion=champion,
        shadow=shadow,
        shadow_transactions=shadow_transactions,
        challenger=None,
        challenger_percent=0,
    )
