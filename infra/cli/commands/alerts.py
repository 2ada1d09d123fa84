"""``driftloop alerts``"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from features.base.active import DOMAIN, WORDS
from infra.cli import context

if TYPE_CHECKING:
    from features.base.events import Alert

COLUMNS = ("event time", WORDS.subject, WORDS.counterpart, f">{WORDS.measure}", ">score", ">threshold", "model", "reasons")


def command(
    n: Annotated[int, typer.Option("-n", min=0, help="How many.")] = 20,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new ones until Ctrl-C.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON array; with --follow one alert a line.")] = False,
) -> None:
    from features.base.events import Alert
    from infra.inspect import show, tail
    from infra.inspect.decode import decoder, newest_events
    from streams.topics import ALERTS

    settings = context.settings().as_user("analyst")
    last = newest_events(settings, ALERTS, Alert, n)
    alerts = [alert for _, alert in last.events]
    if not follow:
        if as_json:
            show.document(alerts)
        else:
            show.table(COLUMNS, map(row, alerts), f"no {WORDS.alerts} yet")
        return
    decode = decoder(Alert)

    def tell(alert: Alert) -> None:
        if as_json:
            show.line(alert)
        else:
            print(show.printable("  ".join(row(alert))), flush=True)

    for alert in alerts:
        tell(alert)
    for seen in tail.follow(settings, ALERTS, last.ends):
        new = decode(seen)
        if new is not None:
            tell(new)


def row(alert: Alert) -> tuple[str, ...]:
    """Return one alert as cells of ``COLUMNS``."""
    from infra.inspect import show

    paid = alert.event
    return (
        show.when(paid.event_time_ms),
        paid.subject,
        paid.counterpart,
        show.measure(paid.measure, getattr(paid, DOMAIN.unit_field, None)),
        show.figure(alert.score),
        show.figure(alert.threshold),
        f"{alert.model} {alert.model_version}",
        ", ".join(alert.reasons),
    )
