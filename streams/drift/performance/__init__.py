"""Performance drift: outcomes by the time at which they became known."""
