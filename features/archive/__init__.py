"""The archive of scores and outcomes as Parquet by event day: days, locks, manifest, compaction."""
