"""Which records of a partition are new: ids that came, and a clock that no single subject can move."""
