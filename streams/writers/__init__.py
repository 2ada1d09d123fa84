"""The processors that write files and online rows, and the compaction beside them."""
