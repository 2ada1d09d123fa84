"""The card features of a whole file, by Spark with this transform, pandas and polars: ``python -m benchmarks.backfill``."""
