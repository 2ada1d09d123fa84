"""Whether a peer computed the same thing: a comparison of speeds means nothing without it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

#: Largest difference that counts as agreement, relative to values above 1.
TOLERANCE = 1e-4
#: Running sums of squares, which the peers keep, lose digits; their deviations and what is made of them get more room.
TOLERANCE_STD = 1e-2
#: A deviation below this many currency units is mostly rounding to the peers, and z-scores divide by it.
LEAST_STD = 1.0
#: Share of the values that may differ: transactions of one card in the same second are in no agreed order.
ALLOWED = 1e-3


class Agreement(msgspec.Struct, frozen=True):
    """``values`` of ``columns`` columns were compared, ``differing`` of them by more than the tolerance.

    ``largest``: of the others, the largest difference, as the tolerance counts it; ``worst``: where it is.
    """

    columns: int
    values: int
    differing: int
    largest: float
    worst: str


def compare(ours: Mapping[str, NDArray[Any]], theirs: Mapping[str, NDArray[Any]]) -> Agreement:
    """Compare the columns [n] that both have. Theirs may be NaN where a value is undefined: ours then holds its missing value.

    Raises ValueError where they have nothing in common, or more than ALLOWED of the values differ.
    """
    shared = [name for name in theirs if name in ours]
    if not shared:
        raise ValueError("the peer and the transform share no column; there is nothing to compare")
    values = differing = 0
    largest, worst = 0.0, ""
    counted: list[str] = []
    for name in shared:
        difference, defined = _difference(name, ours, theirs)
        tolerance = TOLERANCE_STD if name.startswith(("std_", "zscore_")) else TOLERANCE
        off = defined & ~(difference <= tolerance)
        values += int(defined.sum())
        differing += int(off.sum())
        if off.any():
            counted.append(f"{name} ({int(off.sum()):,})")
        agreeing = difference[defined & ~off]
        if agreeing.size and agreeing.max() > largest:
            largest, worst = float(agreeing.max()), name
    if differing > ALLOWED * values:
        raise ValueError(f"the peer computes something else: {differing:,} of {values:,} values differ, in {', '.join(counted)}")
    return Agreement(len(shared), values, differing, largest, worst)


def _difference(
    name: str, ours: Mapping[str, NDArray[Any]], theirs: Mapping[str, NDArray[Any]]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Difference relative to max(1, |value|), and which rows can be compared."""
    mine, other = ours[name].astype(np.float64), theirs[name].astype(np.float64)
    defined = ~np.isnan(other)
    if name.startswith("zscore_"):
        window = name.removeprefix("zscore_")
        std, count = theirs[f"std_{window}"], theirs[f"count_{window}"]
        # The deviation of the earlier ones, not this one: with this amount far from the rest the window's is large anyway.
        defined &= (count > 3) & (std / np.maximum(np.abs(other), 1.0) > LEAST_STD)
    return np.abs(mine - other) / np.maximum(np.abs(other), 1.0), defined
