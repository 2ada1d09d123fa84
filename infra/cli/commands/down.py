"""``driftloop down``"""

from __future__ import annotations

from infra.cli import context


def command() -> None:
    from infra.platform import up_down

    settings = context.settings()
    up_down.down(settings, lambda what, how, seconds: print(f"  {what:<14} {how:<24} {seconds:6.1f} s", flush=True))
    print(f"driftloop is down in {settings.dir}; its data stays there")
