"""``driftloop up``"""

from __future__ import annotations

from typing import Annotated

import typer

from infra import context


def command(only: Annotated[str, typer.Option(help="Start only these components, with commas between.")] = "") -> None:
    from infra import platform

    names = [name.strip() for name in only.split(",") if name.strip()] or None

    def progress(what: str, how: str, seconds: float) -> None:
        print(f"  {what:<14} {how:<24} {seconds:6.1f} s", flush=True)

    settings = platform.up(context.settings(), names, progress)
    print(f"driftloop is up in {settings.dir}")
    print(f"  Kafka {settings.bootstrap}; model server {settings.rest_url}, gRPC {settings.grpc_address}")
    print(f"  the model server's token is in {settings.token_file}")
