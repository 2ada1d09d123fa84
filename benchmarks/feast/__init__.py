"""Reads and writes of the online store beside Feast's SDK and plain redis-py: ``python -m benchmarks.feast``."""
