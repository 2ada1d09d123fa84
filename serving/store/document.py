"""The serving document: what should be served. The server reconciles to it, whoever wrote it, however many writes it missed."""

from __future__ import annotations

from typing import Annotated

import msgspec

from features.base.active import DOMAIN
from serving.store.manifest import VersionName

FILE_NAME = "serving.json"

Count = Annotated[int, msgspec.Meta(ge=0)]


class ServingDocument(msgspec.Struct, frozen=True, kw_only=True):
    """Which versions answer. ``generation`` grows by one with every change; 0 means that nobody has written one yet.

    ``shadow`` is scored beside the champion without being believed; it is promoted after ``shadow_transactions`` scores.
    ``challenger`` and its percentage of the subjects are reserved for the canary. ``rollback`` is the key of the newest roll-back
    that was carried out. ``updated_at_ms`` is wall time.
    """

    generation: Count = 0
    model: str = DOMAIN.model
    champion: VersionName | None = None
    shadow: VersionName | None = None
    shadow_transactions: Count = 0
    challenger: VersionName | None = None
    challenger_percent: Annotated[int, msgspec.Meta(ge=0, le=100)] = 0
    rollback: str = ""
    updated_at_ms: int = 0

    @property
    def versions(self) -> tuple[str, ...]:
        """Return the versions that it names."""
        return tuple(v for v in (self.champion, self.shadow, self.challenger) if v is not None)


def decode(data: bytes) -> ServingDocument:
    """Read a document from its JSON. Raises msgspec.MsgspecError (a ValueError), naming the field."""
    return msgspec.json.decode(data, type=ServingDocument)


def encode(document: ServingDocument) -> bytes:
    """Return a document as JSON for people: indented, ending in a newline."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"
