"""The streams' results, and their tables: one file each."""
