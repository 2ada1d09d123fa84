"""The manifest of one model version: what it is, what it was trained on and how it did. Lives beside its ``model.onnx``."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

FILE_NAME = "manifest.json"

#: Versions are ``v1``, ``v2`` and so on. The pattern also keeps a version from being a path.
VERSION_PATTERN = r"^v[1-9][0-9]{0,8}$"
VersionName = Annotated[str, msgspec.Meta(pattern=VERSION_PATTERN)]
Share = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
Sha256 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """One model version.

    ``schema`` and ``features`` say which vectors it takes; ``threshold`` in [0, 1] is where a score becomes an alert.
    Times are epoch milliseconds, ``train_*`` in event time, ``created_at_ms`` in wall time. ``sha256`` is that of ``model.onnx``.
    """

    model: str
    version: VersionName
    created_at_ms: int
    schema: str
    features: Annotated[list[str], msgspec.Meta(min_length=1)]
    threshold: Share
    sha256: Sha256
    train_start_ms: int = 0
    train_end_ms: int = 0
    rows: int = 0
    positives: int = 0
    metrics: dict[str, float] = {}
    cause: str = ""
    idempotency_key: str = ""
    run_id: str = ""
    state: Literal["registered", "rejected"] = "registered"


def decode(data: bytes) -> Manifest:
    """Read a manifest from its JSON. Raises msgspec.MsgspecError (a ValueError), naming the field."""
    return msgspec.json.decode(data, type=Manifest)


def encode(manifest: Manifest) -> bytes:
    """Return a manifest as JSON for people: indented, ending in a newline."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"
