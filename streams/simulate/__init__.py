"""A seeded world of cards and terminals that pays, is defrauded, and drifts on demand."""
