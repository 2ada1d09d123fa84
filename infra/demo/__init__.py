"""The demo: the whole loop, from the first transaction to the model that replaces the first, watched and checked."""
