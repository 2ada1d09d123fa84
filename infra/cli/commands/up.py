"""``driftloop up``"""

from __future__ import annotations

from typing import Annotated

import typer

from infra.cli import context

SECURE_HELP = "Encrypt Kafka's traffic, ask for passwords, and give each user only the rights that it needs; stays so."


def command(
    only: Annotated[str, typer.Option(help="Start only these components, with commas between.")] = "",
    secure: Annotated[bool, typer.Option("--secure", help=SECURE_HELP)] = False,
) -> None:
    from infra.platform import up_down

    names = [name.strip() for name in only.split(",") if name.strip()] or None

    def progress(what: str, how: str, seconds: float) -> None:
        print(f"  {what:<14} {how:<24} {seconds:6.1f} s", flush=True)

    wanted = context.settings(made=False)
    settings = up_down.up(up_down.secured(wanted) if secure else wanted, names, progress)
    print(f"driftloop is up in {settings.dir}")
    print(f"  Kafka {settings.bootstrap}; model server {settings.rest_url}, gRPC {settings.grpc_address}")
    if settings.secure_broker:
        print(f"  Kafka's users have their passwords in {settings.secrets / 'kafka'}; trust {settings.secrets / 'ca.pem'}")
    print(f"  the model server's token is in {settings.token_file}")
