"""The online store: reads for a micro-batch in one round trip, and writes where the newest wins."""
