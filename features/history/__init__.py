"""A subject's history: how it lies in memory, how an event is put in, and what is found in it."""
