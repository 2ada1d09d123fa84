"""Skew: a sample of what was served on a day, computed again in batch."""
