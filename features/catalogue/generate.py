"""Writes what is made of the domain's features: the compiled loops and their page in docs. ``python -m
features.catalogue.generate``.

The compiled loops are generated, not interpreted: each formula becomes one line of a function that numba compiles as a whole.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from features.base.active import DEFAULT, DOMAIN, WORDS
from features.base.feature import STREAM, Feature, Source
from features.base.fingerprint import of_code
from features.base.rooms import COMPILED, FORMULAS, HISTORY, PROFILES, module_path
from features.catalogue import ingredients
from features.catalogue.ingredients import LONGEST_DAYS
from features.catalogue.vector import FEATURES

_ROOT = Path(__file__).parents[2]
#: Where the loops of this process's domain lie, and its page.
TARGET = module_path(DOMAIN.loops)
DOCUMENT = _ROOT / "docs" / ("features.md" if DOMAIN.name == DEFAULT else f"features-{DOMAIN.name}.md")
#: What the generated functions call: a change in any of these changes what they compute.
SOURCES = (*HISTORY, *PROFILES, *FORMULAS, *COMPILED)
#: The first bit of the domain's flags of a row (``features.history.row_layout.MARKS``).
_FIRST_MARK = 2
#: The Kafka topic behind each source.
TOPIC: dict[Source, str] = {"event": DOMAIN.topic, "history": DOMAIN.topic, "profile": "scores", "counterpart": "outcomes"}


class FormulaError(ValueError):
    """A formula that cannot be compiled; the message names the feature."""


def fingerprint(features: tuple[Feature, ...] = FEATURES, sources: Iterable[Path] = SOURCES) -> str:
    """Hash the generated code and what it calls: 16 hexadecimal digits. Raises FormulaError."""
    numbers = (DOMAIN.parameters, tuple(DOMAIN.windows.items()), DOMAIN.counterpart_days)
    return of_code(sources, _code(features, ""), f"NUMBERS = {numbers!r}")[:16]


def source(features: tuple[Feature, ...] = FEATURES) -> str:
    """Return the text of the loops' module. Raises FormulaError."""
    return _code(features, fingerprint(features))


def _code(features: tuple[Feature, ...], made_of: str) -> str:
    """Write the text of the loops' module. ``made_of``: the fingerprint that it carries."""
    stream = [(i, f) for i, f in enumerate(features) if f.source in STREAM]
    read = [(i, f) for i, f in enumerate(features) if f.source not in STREAM]
    if [i for i, _ in stream] != list(range(len(stream))):
        raise FormulaError("the catalogue must name the features of the stream before those that are read from Feast")
    history = {**ingredients.EVENT, **ingredients.HISTORY}
    known = {**ingredients.EVENT, **ingredients.PROFILE, **ingredients.OUTCOMES}
    return _TEMPLATE.format(
        fingerprint=made_of,
        stream="\n".join(_lines(stream, history)),
        read="\n".join(_lines(read, known)),
        words=WORDS,
        marks=_marks(),
        functions=", ".join(sorted({name for f in features for name in _names(f) if name in _functions()})),
    )


@cache
def _functions() -> set[str]:
    tree = ast.parse((Path(__file__).parent / "formulas.py").read_text())
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    constants = {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name) and not target.id.startswith("_")
    }
    return functions | constants


def _names(feature: Feature) -> list[str]:
    """Return the names in a feature's formula, in their order."""
    try:
        tree = ast.parse(feature.formula, mode="eval")
    except SyntaxError as error:
        raise FormulaError(f"feature {feature.name}: the formula {feature.formula!r} is no expression ({error})") from error
    return [node.id for node in ast.walk(tree) if isinstance(node, ast.Name)]


def _lines(features: list[tuple[int, Feature]], names: ingredients.Ingredients) -> list[str]:
    """Return code lines: the ingredients that are used, then one line a feature."""
    functions = _functions()
    used: dict[str, None] = {}
    for _, feature in features:
        for name in _names(feature):
            if name in functions:
                continue
            if name not in names:
                raise FormulaError(
                    f"feature {feature.name}: the formula uses {name}, which features/catalogue/ingredients.py does not offer "
                    f"to a feature of source {feature.source}"
                )
            used[name] = None
    lines = [f"        {name} = {names[name][0]}" for name in names if name in used and names[name][0] != name]
    return lines + [f"        out[i, {i}] = {feature.formula}  # {feature.name}" for i, feature in features]


def _marks() -> str:
    """Return the domain's flags of a row as an expression over ``mode``, ``flag`` and ``time``."""
    bits = [f"({1 << _FIRST_MARK + k} if {flag.code} else 0)" for k, flag in enumerate(DOMAIN.row_flags)]
    return " | ".join(bits) or "0"


def _articles() -> dict[str, str]:
    """Return ``a_subject`` and ``A_subject``: the words of roles with their articles, for a template."""
    small = {f"a_{role}": WORDS.a(role) for role in ("subject", "counterpart")}
    return small | {f"A{name[1:]}": text.capitalize() for name, text in small.items()}


def _kinds() -> str:
    """Return what the page says of kinds of events; nothing, where the domain has one."""
    if not DOMAIN.kinds:
        return ""
    first, *others = DOMAIN.kinds
    rest = ", ".join(kind.plural for kind in others).capitalize()
    return (
        f"- A history is made of {first.plural}. {rest} take part in no window of it: they are counted apart\n"
        f"  (`{others[0].name}_count_1d` and its like: the newest 2,048 of at most {LONGEST_DAYS + 1} days). The vector of such"
        f" {WORDS.a('event')} says\n  what it would be in that place, and no model judges it.\n"
    )


def document(features: tuple[Feature, ...] = FEATURES) -> str:
    """Return the text of docs/features.md."""
    sections = []
    for name, heading in _HEADINGS.items():
        rows = [f for f in features if f.source == name]
        sections += [
            f"## {heading}",
            "",
            f"{len(rows)} features; from the topic `{TOPIC[rows[0].source]}`." if rows else "",
            "",
            "| feature | unit | window | meaning | formula | missing |",
            "| --- | --- | --- | --- | --- | --- |",
            *(
                f"| `{f.name}` | {f.unit} | {f.window or '-'} | {f.meaning} | `{f.formula}` | "
                f"{f'{f.missing:g}: {f.when_missing}' if f.when_missing else 'never'} |"
                for f in rows
            ),
            "",
        ]
    offered = [("Event", ingredients.EVENT), (f"{WORDS.subject.capitalize()}'s history", ingredients.HISTORY)]
    offered += [
        (f"{WORDS.owner.capitalize()} profile", ingredients.PROFILE),
        (f"{WORDS.counterpart.capitalize()}'s known outcomes", ingredients.OUTCOMES),
    ]
    names = []
    for heading, group in offered:
        names += [f"### {heading}", "", "| name | meaning |", "| --- | --- |"]
        names += [f"| `{name}` | {meaning} |" for name, (_, meaning) in group.items()] + [""]
    return (
        "\n".join(
            [
                _PREFACE.format(
                    count=len(features),
                    domain=DOMAIN.name,
                    words=WORDS,
                    days=LONGEST_DAYS,
                    keep=LONGEST_DAYS + 1,
                    kinds=_kinds(),
                    **_articles(),
                ),
                *sections,
                "## Names that formulas use",
                "",
                *names,
            ]
        ).rstrip()
        + "\n"
    )


def main(arguments: list[str]) -> int:
    """Write both; with ``--check`` only say whether they are up to date (0) or not (1)."""
    wanted = {TARGET: source(), DOCUMENT: document()}
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text() != text]
    if "--check" in arguments:
        for path in stale:
            sys.stderr.write(f"{path} is out of date: run make features\n")
        return 1 if stale else 0
    for path in stale:
        path.write_text(wanted[path])
    return 0


_HEADINGS: dict[Source, str] = {
    "event": f"Of the {WORDS.event} itself",
    "history": f"Of the {WORDS.subject}'s history: computed in the stream",
    "profile": f"Of the {WORDS.owner} profile: by batch, read from Feast as of the event",
    "counterpart": f"Of the {WORDS.counterpart}'s known outcomes: read from Feast as of the event, behind the label delay",
}
_PREFACE = """<!-- Written by `make features` from features/domains/{domain}/; edit that. -->
# Features

{count} features, float32, in the order of the vector. One entry each, one formula each: the stream, the Spark jobs,
Feast's on-demand view and the training set all run the same compiled function. How to add one:
[how-to-add-a-feature.md](how-to-add-a-feature.md).

- A window of length W at event time t is (t - W, t], in event time, to the millisecond.
- {A_subject}'s history is its newest 2,048 {words.events} of at most {keep} days: {a_subject} with 100,000
  {words.events} in a window has the features of its newest 2,048. One that comes up to a day late finds all of its windows; one
  that comes later, what is kept.
{kinds}- A late {words.event} is put in at its event time. Vectors that were published stay as they were, later ones see it.
- What counts as a high {words.measure} for any {words.subject} is the setting `features.measure_limit`. It is part of the
  vector's schema: vectors, models and training sets that were made with another limit are refused, as those of other formulas
  are.
- {A_counterpart}'s outcomes count up to the label horizon: event time less `labels.delay_days`, rounded down to whole
  `labels.step_hours`.
"""

_TEMPLATE = '''"""Written by ``make features`` from the domain's features; edit those. The loops behind ``update`` and
``fill``."""

from __future__ import annotations

from math import isnan

import numpy as np
from numpy.typing import NDArray

from features.history.arrival import Rows
from features.base.compiled import compiled_cached
from features.catalogue.formulas import {functions}
from features.history.insert import take_in
from features.history.prefetch import AHEAD, fetch_rows, fetch_subject
from features.transform.profiles import MEAN_MEASURE, category_mean, distance_from_home, is_usual_counterpart, share_around
from features.transform.read_columns import Read
from features.history.running_sums import LANE_BITS, LANE_MASK
from features.history.row_layout import History
from features.transform.counterpart_tiles import LAST_LABEL, RUN, RUN_DAYS, SINCE_NEGATIVE, SINCE_POSITIVE, Known, read
from features.history.findings import (
    DECAYED_COUNT,
    DECAYED_TOTAL,
    HIGH_14D,
    KM,
    MEDIAN,
    RATIO,
    RATIO_3D,
    RATIO_14D,
    REPEAT,
    SINCE_HIGH,
    SINCE_LAST,
    SPEED,
    Walk,
)
from features.catalogue.windows import DAY_MS, HOUR_MS

#: Of the sources that this was made of (``features.catalogue.generate.fingerprint``).
FINGERPRINT = "{fingerprint}"


@compiled_cached
def stream_rows(
    h: History, slots: NDArray[np.int64], rows: Rows, limit: int, out: NDArray[np.float32], w: Walk
) -> None:
    """Put each row into its subject's history and write the stream's columns of its vector. ``w``: room for one walk."""
    n = slots.shape[0]
    for i in range(n):
        if i + 2 * AHEAD < n:
            fetch_subject(h, slots[i + 2 * AHEAD])
        if i + AHEAD < n:
            fetch_rows(h, slots[i + AHEAD])
        time, mode, flag = rows.time[i], rows.mode[i], rows.flag[i]
        take_in(h, slots[i], rows, i, {marks}, w)
{stream}


@compiled_cached
def read_rows(rows: Read, delay_ms: int, step_hours: int, out: NDArray[np.float32], t: Known) -> None:
    """Write the columns of each vector that are read from Feast. ``t``: room for what is known of one counterpart."""
    for i in range(rows.time.shape[0]):
        time = rows.time[i]
        profile, usual = rows.owner[i], rows.usual[i]
        km_from_home = distance_from_home(profile, rows.latitude[i], rows.longitude[i])
        usual_measure = profile[MEAN_MEASURE]
        category_measure = category_mean(profile, usual, rows.category[i])
        hour_share = share_around(profile, time)
        usual_counterpart = is_usual_counterpart(usual, rows.counterpart[i])
        horizon = (time - delay_ms) // HOUR_MS
        horizon -= horizon % step_hours
        read(rows.tiles, rows.begin[i], rows.end[i], horizon, t)
{read}
'''

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
