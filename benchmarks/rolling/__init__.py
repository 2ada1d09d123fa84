"""The card's windows as pandas, polars and river compute them: the peers of the transform."""
