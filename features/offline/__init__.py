"""The offline store: point-in-time joins, and what was known as of an event."""
