"""Recorded transactions from a file, Parquet or CSV, as if they happened now."""
