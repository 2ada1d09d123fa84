"""A seeded shop whose users look at items, buy some of them hours later, and drift on demand."""
