"""``driftloop drift``"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from infra.cli import context

if TYPE_CHECKING:
    from features.base.events import DriftReport

COLUMNS = ("window", "looked at", "model", ">rows", "verdict", ">share", "evidence", "action")
TOP = 3


def command(
    n: Annotated[int, typer.Option("-n", min=0, help="How many.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON array.")] = False,
) -> None:
    from features.base.events import DriftReport
    from infra.inspect import show
    from infra.inspect.decode import newest_events
    from streams.topics import DRIFT_REPORTS

    reports = [report for _, report in newest_events(context.settings(), DRIFT_REPORTS, DriftReport, n).events]
    if as_json:
        show.document(reports)
    else:
        show.table(COLUMNS, map(row, reports), "no drift reports yet: they begin with the first champion")


def row(report: DriftReport) -> tuple[str, ...]:
    """Return one report as cells of ``COLUMNS``."""
    from infra.inspect import show

    return (
        f"{show.when(report.window_start_ms)} .. {show.when(report.window_end_ms)}",
        report.kind,
        report.model_version or "-",
        str(report.rows),
        report.verdict,
        "-" if report.share_drifted is None else f"{report.share_drifted:.0%}",
        evidence(report),
        report.action,
    )


def evidence(report: DriftReport) -> str:
    """Name the features that moved most; where none were looked at, name the first numbers of the evidence."""
    if report.features:
        top = sorted(report.features.items(), key=lambda item: -item[1])[:TOP]
        return ", ".join(f"{name} {score:.2f}" for name, score in top)
    numbers = [(name, value) for name, value in report.evidence.items() if isinstance(value, int | float)]
    return ", ".join(f"{name} {value:.4g}" for name, value in numbers[:TOP])
