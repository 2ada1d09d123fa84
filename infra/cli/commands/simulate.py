"""``driftloop simulate``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DRIFT_HELP = "amounts=FACTOR@DAY or pattern:NAME=on|off@DAY, as in amounts=1.6@40. May be given several times."
FAULT_HELP = "KIND@DAY:DAYS, KIND one of amount_unit, location_missing, entry_mode_stuck. May be given several times."


def command(
    days: Annotated[int, typer.Option(min=1, max=5000, help="How many days.")] = 30,
    from_day: Annotated[int, typer.Option(min=0, max=5000, help="The first of them; the simulation begins with day 0.")] = 0,
    cards: Annotated[int, typer.Option(help="Cards in the world.")] = 2000,
    terminals: Annotated[int, typer.Option(help="Terminals and online merchants in the world.")] = 500,
    start: Annotated[str, typer.Option(help="Date of day 0, YYYY-MM-DD, UTC.")] = "2026-01-05",
    seed: Annotated[int, typer.Option(help="The same seed gives the same history.")] = 7,
    fraud_rate: Annotated[float, typer.Option(help="Share of frauds while the patterns are those of day 0.")] = 0.009,
    rate: Annotated[float, typer.Option(help="Genuine transactions of a card in a day, on average.")] = 2.0,
    drift: Annotated[list[str] | None, typer.Option(help=DRIFT_HELP)] = None,
    fault: Annotated[list[str] | None, typer.Option(help=FAULT_HELP)] = None,
    speed: Annotated[str, typer.Option(help="max, or how many times faster than real time.")] = "max",
    lockstep: Annotated[str, typer.Option(help="Wait for every processor at each 1d, 6h, 30m of event time.")] = "",
    lockstep_timeout: Annotated[float, typer.Option(min=1.0, help="Seconds without progress before giving up.")] = 300.0,
    resume: Annotated[bool, typer.Option(help="The days before were published earlier: publish their late labels, too.")] = False,
    all_labels: Annotated[bool, typer.Option(help="At the end, publish the labels that are not due yet, too.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write .parquet or .jsonl files here instead of publishing.")] = None,
    truth: Annotated[Path | None, typer.Option(help="Write the ground truth to this Parquet file.")] = None,
) -> None:
    """Publish simulated transactions and labels in event-time order."""
    from features.base.settings import SettingsError
    from infra.cli.publishing import Plan, carry_out, parse_date
    from streams.simulate.card_fraud.options import Options, parse_drift, parse_fault
    from streams.simulate.card_fraud.simulation import Simulation

    try:
        options = Options(
            cards=cards,
            terminals=terminals,
            start=parse_date(start, "--start"),
            seed=seed,
            fraud_rate=fraud_rate,
            rate=rate,
            drifts=tuple(map(parse_drift, drift or [])),
            faults=tuple(map(parse_fault, fault or [])),
        )
        simulation = Simulation(options)
        pending = simulation.pending_labels(from_day) if resume else None
        plan = Plan(speed, lockstep, lockstep_timeout, all_labels, out, truth, pending)
        carry_out(simulation.days(from_day, from_day + days), plan)
    except SettingsError:
        raise
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
