"""``driftloop simulate``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from features.base.active import DOMAIN, WORDS

DRIFT_HELP = f"A drift of the simulated world of {DOMAIN.name}, as docs/simulator.md writes it. May be given several times."
FAULT_HELP = "A data fault, KIND@DAY:DAYS. May be given several times."
UNIT_HELP = f"What {WORDS.measure}s are in, the first for half of them (docs/simulator.md). May be given several times."
KIND_HELP = f"How many {WORDS.events} of another kind, KIND=SHARE, where {DOMAIN.name} has kinds. May be given several times."
RESUME_HELP = (
    "Go on where the last run of the same simulation stopped. With --from-day, where nothing of it was published: the days "
    "before were, and their late labels are owed."
)
_DEFAULT = "by default as the simulator has it"


def command(
    days: Annotated[int, typer.Option(min=1, max=5000, help="How many days.")] = 30,
    from_day: Annotated[
        int | None, typer.Option(min=0, max=5000, help="The first of them; 0, where the simulation begins.")
    ] = None,
    subjects: Annotated[int | None, typer.Option(help=f"{WORDS.subjects.capitalize()} in the world, {_DEFAULT}.")] = None,
    counterparts: Annotated[int | None, typer.Option(help=f"{WORDS.counterparts.capitalize()} in the world, {_DEFAULT}.")] = None,
    start: Annotated[str, typer.Option(help="Date of day 0, YYYY-MM-DD, UTC.")] = "2026-01-05",
    seed: Annotated[int, typer.Option(help="The same seed gives the same history.")] = 7,
    positive_rate: Annotated[float | None, typer.Option(help=f"Share of {WORDS.positives} on day 0, {_DEFAULT}.")] = None,
    rate: Annotated[
        float | None, typer.Option(help=f"{WORDS.events.capitalize()} of {WORDS.a('subject')} in a day, {_DEFAULT}.")
    ] = None,
    withdrawn_rate: Annotated[
        float | None, typer.Option(help=f"Share of the {WORDS.positive} labels that are withdrawn later, {_DEFAULT}.")
    ] = None,
    kind: Annotated[list[str] | None, typer.Option(help=KIND_HELP)] = None,
    drift: Annotated[list[str] | None, typer.Option(help=DRIFT_HELP)] = None,
    fault: Annotated[list[str] | None, typer.Option(help=FAULT_HELP)] = None,
    unit: Annotated[list[str] | None, typer.Option(help=UNIT_HELP)] = None,
    rates: Annotated[
        Path | None, typer.Option(help="Write the rates of these days to this CSV file, before anything else.")
    ] = None,
    speed: Annotated[str, typer.Option(help="max, or how many times faster than real time.")] = "max",
    lockstep: Annotated[str, typer.Option(help="Wait for every processor at each 1d, 6h, 30m of event time.")] = "",
    lockstep_timeout: Annotated[float, typer.Option(min=1.0, help="Seconds without progress before giving up.")] = 300.0,
    resume: Annotated[bool, typer.Option(help=RESUME_HELP)] = False,
    again: Annotated[bool, typer.Option(help="Publish days once more that were published before.")] = False,
    all_labels: Annotated[bool, typer.Option(help="At the end, publish the labels that are not due yet, too.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write .parquet or .jsonl files here instead of publishing.")] = None,
    truth: Annotated[Path | None, typer.Option(help="Write the ground truth to this Parquet file.")] = None,
    form: Annotated[str, typer.Option("--format", help="json, or avro, protobuf or json-schema of a registry.")] = "json",
) -> None:
    """Publish simulated events and labels in event-time order."""
    from features.base.settings import SettingsError
    from infra.cli.publishing import Plan, carry_out, check_plan, parse_date
    from infra.cli.simulated import work_of
    from streams.simulate.simulator import Request, simulator

    try:
        plan = Plan(speed, lockstep, lockstep_timeout, all_labels, out, truth, resume, again, form)
        world = Request(
            start=parse_date(start, "--start"),
            seed=seed,
            subjects=subjects,
            counterparts=counterparts,
            positive_rate=positive_rate,
            rate=rate,
            drifts=tuple(drift or []),
            faults=tuple(fault or []),
            withdrawn_rate=withdrawn_rate,
            units=tuple(unit or []),
            kinds=tuple(kind or []),
        )
        simulation = simulator(world)
        check_plan(plan)
        if rates is not None:
            rates.write_text(simulation.rates(from_day or 0, (from_day or 0) + days))
        carry_out(work_of(simulation, world, from_day, days, all_labels), plan)
    except SettingsError:
        raise
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
