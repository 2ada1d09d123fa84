"""Write the tables of docs/drift.md: the watched columns, the fault rules and the aftermath, as the code has them."""

from __future__ import annotations

import math

from streams.drift.data import faults
from streams.drift.data.columns import CATEGORICAL, NUMERIC, SCORE
from streams.drift.data.counts import OPTIONAL
from streams.drift.data.distance import CATEGORICAL_METHOD, NUMERIC_METHOD
from streams.drift.data.looks import AFTERMATH


def watched() -> str:
    """Return a table of the watched columns by the form in which they are compared."""
    rows = (
        (NUMERIC, "as log(1 + x)", NUMERIC_METHOD),
        (CATEGORICAL, "as shares of categories", CATEGORICAL_METHOD),
        ((SCORE,), "as log-odds", NUMERIC_METHOD),
    )
    lines = ["| watched | compared | distance |", "| --- | --- | --- |"]
    return _joined(lines + [f"| {_names(columns)} | {form} | {method} |" for columns, form, method in rows])


def rules() -> str:
    """Return a table of the rules by which a field is faulty, with their thresholds."""
    quartiles = ", ".join(f"{quantile:g}" for quantile in sorted(faults.UNIT_QUANTILES))
    chance = round(-faults.STUCK_LOG_PROBABILITY / math.log(10))
    factor = f"{faults.UNIT_FACTOR:g}"
    unit = f"a quantile ({quartiles}) is {factor} times the expected one or more, or a {factor}th or less"
    missing = (
        f"the share of rows that have it falls by more than {faults.MISSING_FALL:g}, or to {faults.GONE_SHARE:g} or less from at "
        f"least {faults.GONE_FROM:g}; and by {faults.MISSING_SIGMAS:g} standard errors"
    )
    share, usual = 100 * faults.STUCK_SHARE, 100 * faults.STUCK_REFERENCE_SHARE
    stuck = f"one mode has {share:g} % or more, the reference less than {usual:g} %, and chance one in 10^{chance}"
    rows = (("unit", _names(faults.FIELDS[:1]), unit), ("missing", _names(OPTIONAL), missing), ("stuck", "the mode", stuck))
    lines = ["| rule | fields | fault when |", "| --- | --- | --- |"]
    return _joined(lines + [f"| {rule} | {fields} | {when} |" for rule, fields, when in rows])


def aftermath() -> str:
    """Return a table of the columns that remember a faulty field, and for how many days."""
    lines = ["| after a fault of | not counted, for days |", "| --- | --- |"]
    for field, columns in AFTERMATH.items():
        by_days: dict[float, list[str]] = {}
        for column, days in columns.items():
            by_days.setdefault(days, []).append(column)
        cell = "; ".join(f"{_names(names)}: {days:g}" for days, names in by_days.items())
        lines.append(f"| `{field}` | {cell or '-'} |")
    return _joined(lines)


def _names(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _joined(lines: list[str]) -> str:
    return "\n".join(lines) + "\n"
