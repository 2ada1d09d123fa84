"""Evidently's ValueDrift without its plot, which takes four fifths of its time and which nobody would look at.

Import it through ``distance.load``: Evidently takes seconds.
"""

from __future__ import annotations

from evidently.metrics import ValueDrift
from evidently.metrics.column_statistics import ValueDriftCalculation


class UndrawnValueDrift(ValueDrift):
    """The drift score of one column."""


class _Calculation(ValueDriftCalculation):
    def _render(self, result: object, options: object, color_options: object) -> list[object]:
        return []


# Evidently binds a calculation to its metric by a type parameter, which ValueDriftCalculation has given away already.
UndrawnValueDrift.__calculation_type__ = _Calculation
