"""The HTML report of a demo: one file, no script, no link to anywhere."""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape
from pathlib import Path

import msgspec

from features.base.active import WORDS
from infra.demo import pictures
from infra.demo.story import Story
from infra.demo.tell import Told
from serving.store.model_store import ModelStore

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;color:#1f2933;max-width:1080px;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem;margin-bottom:.2rem} h2{font-size:1.1rem;margin-top:2rem}
table{border-collapse:collapse;font-size:.88rem;margin:.6rem 0}
th,td{padding:.28rem .7rem;border-bottom:1px solid #e4e7eb;text-align:left}
th{color:#52606d;font-weight:600} td.n{text-align:right;font-variant-numeric:tabular-nums}
.ok{color:#1e8449}.bad{color:#c0392b;font-weight:600} svg{width:100%;height:auto} .note{color:#52606d}
"""


def write(story: Story, demo: Told, path: Path) -> None:
    """Write the report to ``path``."""
    summary = demo.summary
    ok = '<span class="ok">all checks hold</span>' if summary.passed else '<span class="bad">a check failed</span>'
    body = [
        f"<h1>driftloop demo: {ok}</h1><p class=note>{escape(story.title)}; {summary.seconds.total:.0f} s in all</p>",
        "<h2>What happened</h2>",
        pictures.over_time(story, demo),
        _incidents(story, demo),
        "<h2>Checks</h2>",
        _table(["check", "holds"], [[name, _yes(good)] for name, good in summary.checks.items()]),
        "<h2>Drift</h2>",
        pictures.drift(story, demo),
        _reports(demo),
        "<h2>Models</h2>",
        _models(demo),
        _events(demo),
        "<h2>Numbers</h2>",
        _numbers(demo),
    ]
    head = f"<meta charset=utf-8><title>driftloop demo</title><style>{_STYLE}</style>"
    page = f"<!doctype html><html lang=en>{head}{''.join(body)}</html>"
    path.write_text(page)


def _table(head: list[str], rows: list[list[str]]) -> str:
    heads = "".join(f"<th>{escape(h)}</th>" for h in head)
    lines = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{heads}</tr>{lines}</table>"


def _yes(good: bool) -> str:
    return '<span class="ok">yes</span>' if good else '<span class="bad">no</span>'


def _time(ms: int | None) -> str:
    return "" if ms is None else f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d %H:%M}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _incidents(story: Story, demo: Told) -> str:
    rows = [
        [
            escape(injection.meaning),
            _time(i.injected_at_ms),
            _time(i.detected_at_ms),
            escape((i.verdict or "").replace("_", " ")),
            f"{i.retrain_requests} / {i.runs}",
            f"{i.champion_before or ''} → {i.champion_after or ''}",
            f"{_number(i.ap_before)} → {_number(i.ap_during)} → {_number(i.ap_after)}",
        ]
        for injection, i in zip(story.injections, demo.summary.incidents, strict=True)
    ]
    if not rows:
        return ""
    return _table(
        ["incident", "injected", "noticed", "verdict", "requests / runs", "champion", "AP before → during → after"], rows
    )


def _reports(demo: Told) -> str:
    loud = [r for r in demo.collected.reports if r.verdict != "ok"][:20]
    rows = [
        [_time(r.window_end_ms), r.kind, escape(r.verdict.replace("_", " ")), r.model_version or "", escape(r.action)]
        for r in loud
    ]
    return (
        _table(["window ends", "monitor", "verdict", "champion", "action"], rows)
        if rows
        else "<p>No window was out of order.</p>"
    )


def _models(demo: Told) -> str:
    store = ModelStore.of(demo.settings)
    champion = store.serving().champion
    rows = [
        [
            m.version + (" (champion)" if m.version == champion else ""),
            m.state,
            escape(m.cause or ""),
            f"{_time(m.train_start_ms)} to {_time(m.train_end_ms)}",
            f"{m.rows:,} / {m.positives:,}",
            _number(m.metrics.get("ap")),
            _number(m.threshold),
        ]
        for m in store.versions()
    ]
    return _table(
        ["version", "state", "cause", "trained on", f"rows / {WORDS.positives}", "AP on its holdout", "threshold"], rows
    )


def _events(demo: Told) -> str:
    rows = [
        [_time(e.event_time_ms), e.state, e.version or "", escape(e.cause or ""), escape(e.reason)] for e in demo.collected.events
    ]
    return _table(["event time", "what", "version", "cause", "reason"], rows)


def _numbers(demo: Told) -> str:
    s = demo.summary
    counts = [
        [name, f"{getattr(s, name):,}"]
        for name in ("transactions", "scores", "unscored", "alerts", "dlq", "labels", "outcomes", "failed_predictions")
    ]
    seconds = [[f"{name.replace('_', ' ')}, s", "" if v is None else f"{v}"] for name, v in _fields(s.seconds)]
    memory = [[f"memory of {name}, MiB", f"{v:.0f}"] for name, v in s.memory_mb.items()]
    return _table(["", ""], counts + seconds + memory)


def _fields(record: msgspec.Struct) -> list[tuple[str, float | None]]:
    return [(name, getattr(record, name)) for name in record.__struct_fields__]
