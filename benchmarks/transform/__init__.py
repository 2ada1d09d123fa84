"""How fast ``features.transform.update`` is, beside river and pandas on the same events: ``python -m benchmarks.transform``."""
