"""Recorded transactions from a Parquet file, as if they happened now."""
