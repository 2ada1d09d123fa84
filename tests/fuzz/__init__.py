"""Hostile records by the million: nothing escapes, nothing is lost, memory stays flat."""
