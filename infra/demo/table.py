"""The table that a demo ends with."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from features.base.active import WORDS
from features.base.durations import DAY_MS
from infra.demo.story import Story
from infra.demo.tell import Told


def show(story: Story, demo: Told, console: Console) -> None:
    """Print counts, incidents, times and checks."""
    s = demo.summary
    counts = Table("transactions", "scores", "unscored", "alerts", "DLQ", "labels", "outcomes", "failed predictions")
    numbers = (s.transactions, s.scores, s.unscored, s.alerts, s.dlq, s.labels, s.outcomes, s.failed_predictions)
    counts.add_row(*(f"{n:,}" for n in numbers))
    console.print(counts)
    if s.incidents:
        table = Table("incident", "verdict", "noticed after", "requests / runs", "champion", "AP before, during, after")
        for injection, i in zip(story.injections, s.incidents, strict=True):
            delay = "never" if i.detected_at_ms is None else f"{(i.detected_at_ms - injection.start_ms) / DAY_MS:.1f} days"
            ap = ", ".join("-" if v is None else f"{v:.3f}" for v in (i.ap_before, i.ap_during, i.ap_after))
            change = f"{i.champion_before or '-'} -> {i.champion_after or '-'}"
            table.add_row(i.kind, i.verdict or "-", delay, f"{i.retrain_requests} / {i.runs}", change, ap)
        console.print(table)
    else:
        scored = [d for d in s.daily if d.ap is not None]
        if scored:
            mean_ap = sum(d.ap or 0.0 for d in scored) / len(scored)
            cp = sum(d.cp100 for d in s.daily) / len(s.daily)
            over = f"over {len(scored)} days with a model"
            console.print(f"mean daily AP {mean_ap:.3f}, mean daily {WORDS.subject} precision@100 {cp:.3f}, {over}")
    seconds = s.seconds
    console.print(
        f"up {seconds.up} s, first model after {seconds.first_model} s, "
        f"from request to promotion {seconds.detect_to_promoted} s, "
        f"in all {seconds.total} s; peak memory {s.memory_mb.get('total', 0):.0f} MiB"
    )
    for name, good in s.checks.items():
        console.print(f"  [green]ok  [/green] {name}" if good else f"  [red]FAIL[/red] {name}")
