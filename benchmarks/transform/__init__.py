"""How fast ``features.transform`` is, beside river and pandas on the same events: ``python -m benchmarks.transform``."""
