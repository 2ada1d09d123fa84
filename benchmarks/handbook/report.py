"""The result as a table, ours beside what was published.

``python -m benchmarks.handbook.report docs/benchmarks.md RESULT.json ...`` writes the tables of these results between the
document's marks.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from benchmarks.handbook import published
from benchmarks.handbook.experiment import FULL, HANDBOOK, Result, Row, read
from benchmarks.handbook.metrics import Scores

BEGIN, END = "<!-- handbook: begin, generated from benchmarks/results -->", "<!-- handbook: end -->"
#: What the full vector is to reach with the perceptron, trained on all data since 2018-05-01.
GOAL_MODEL, GOAL_FROM, GOAL_AP, GOAL_CP100 = "mlp", "2018-05-01", 0.76, 0.30
GOAL_WEEKS, GOAL_WEEKS_AP = 5, 0.75


def table(result: Result) -> str:
    """Markdown: our rows, the published ones, how far the rebuild is off, and the goals."""
    lines = [
        f"Trained on {result.train_from} to {result.train[-10:]} ({result.train_rows:,} rows, {result.train_frauds:,} frauds), "
        f"labels {result.delay_days} days late, tested on {result.test[:10]} to {result.test[-10:]} ({result.test_rows:,} rows, "
        f"{result.test_frauds:,} frauds).",
        "",
        "| features | model | seeds | ROC AUC | AP | CP@100 | published AUC | AP | CP@100 |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    comparable = is_published(result)
    for row in result.rows:
        twin = _twin(row) if comparable else None
        lines.append(f"| {row.features} ({row.columns}) | {row.model} | {row.seeds} | {_scores(row)} | {_scores(twin)} |")
    if comparable:
        lines += [f"| published | {p.name} | | | | | {_scores(p.scores)} |" for p in published.ROWS if p.model is None]
    return "\n".join([*lines, "", *_weeks(result), *verdicts(result)])


def _weeks(result: Result) -> list[str]:
    if not result.weeks:
        return []
    lines = ["| test week, full vector, mlp | frauds | ROC AUC | AP | CP@100 |", "| --- | ---: | ---: | ---: | ---: |"]
    lines += [f"| {w.test} | {w.positives} | {w.auc:.3f} | {w.ap:.3f} | {w.cp100:.3f} |" for w in result.weeks]
    auc, ap, cp100 = (float(np.mean([getattr(w, name) for w in result.weeks])) for name in ("auc", "ap", "cp100"))
    return [*lines, f"| mean of {len(result.weeks)} | | {auc:.3f} | {ap:.3f} | {cp100:.3f} |", ""]


def is_published(result: Result) -> bool:
    """Whether the windows are those of the published scores."""
    windows = (result.train, result.test, result.delay_days, result.train_from)
    return windows == (published.TRAIN, published.TEST, published.DELAY_DAYS, published.TRAIN[:10])


def verdicts(result: Result) -> list[str]:
    """A line for each claim that the rows decide."""
    lines = []
    for row in result.rows:
        twin = _twin(row)
        if twin is not None and is_published(result):
            off = max(abs(row.auc - twin.auc), abs(row.ap - twin.ap), abs(row.cp100 - twin.cp100))
            verdict = "agrees" if round(off, 4) <= published.TOLERANCE else "DOES NOT agree"
            lines.append(
                f"- Rebuild, {row.model}: {verdict} with the published scores (largest difference {off:.3f}, allowed 0.01)."
            )
        if row.features == FULL and row.model == GOAL_MODEL and (result.train_from, result.test) == (GOAL_FROM, published.TEST):
            lines.append(_goal("AP", row.ap, GOAL_AP))
            lines.append(_goal("CP@100", row.cp100, GOAL_CP100))
            if len(result.weeks) == GOAL_WEEKS:
                mean = float(np.mean([w.ap for w in result.weeks]))
                lines.append(_goal(f"mean AP of {GOAL_WEEKS} weeks", mean, GOAL_WEEKS_AP))
    return lines


def main(arguments: list[str]) -> int:
    """Exit code 2 where the document has no marks."""
    document, *results = [Path(a) for a in arguments]
    text = document.read_text(encoding="utf-8")
    if BEGIN not in text or END not in text:
        print(f"{document} lacks the lines {BEGIN} and {END}; put them where the tables belong", file=sys.stderr)
        return 2
    before, rest = text.split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    tables = "\n\n".join(table(read(path)) for path in results)
    document.write_text(f"{before}{BEGIN}\n\n{tables}\n\n{END}{after}", encoding="utf-8")
    return 0


def _twin(row: Row) -> Scores | None:
    if row.features != HANDBOOK:
        return None
    return next((p.scores for p in published.ROWS if p.model == row.model), None)


def _scores(of: Row | Scores | None) -> str:
    return " | | " if of is None else f"{of.auc:.3f} | {of.ap:.3f} | {of.cp100:.3f}"


def _goal(name: str, value: float, goal: float) -> str:
    verdict = "reached" if value >= goal else f"MISSED by {goal - value:.3f}"
    return f"- Goal, full vector with the perceptron, {name} >= {goal:.2f}: {verdict} ({value:.3f})."


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
