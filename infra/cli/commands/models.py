"""``driftloop models``"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from features.base.active import WORDS
from infra.cli import context

if TYPE_CHECKING:
    from serving.store.document import ServingDocument
    from serving.store.manifest import Manifest

COLUMNS = (
    "version",
    "role",
    "state",
    "created",
    "learned from",
    ">rows",
    f">{WORDS.positives}",
    ">threshold",
    "metrics",
    "cause",
)


def command(as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False) -> None:
    import msgspec

    from infra.errors import PlatformError
    from infra.inspect import show
    from serving.store.model_store import ModelStore, StoreError

    settings = context.settings()
    store = ModelStore.of(settings)
    try:
        versions, served = store.versions(), store.serving()
    except StoreError as error:
        raise PlatformError(str(error)) from error
    if as_json:
        rows = [msgspec.to_builtins(version) | {"role": role(version, served)} for version in versions]
        show.document({"serving": served, "versions": rows})
        return
    show.table(COLUMNS, (row(version, served) for version in versions), f"no model versions yet in {store.place}")


def role(version: Manifest, served: ServingDocument) -> str | None:
    """Tell what the serving document makes of a version: champion, shadow, challenger or None."""
    roles = {served.challenger: "challenger", served.shadow: "shadow", served.champion: "champion"}
    return roles.get(version.version)


def row(version: Manifest, served: ServingDocument) -> tuple[str, ...]:
    """Return one version as cells of ``COLUMNS``."""
    from infra.inspect import show

    return (
        version.version,
        role(version, served) or "-",
        version.state,
        show.when(version.created_at_ms),
        f"{show.when(version.train_start_ms)[:10]} .. {show.when(version.train_end_ms)[:10]}",
        str(version.rows),
        str(version.positives),
        show.figure(version.threshold),
        ", ".join(f"{name} {value:.4g}" for name, value in version.metrics.items()),
        version.cause or "-",
    )
