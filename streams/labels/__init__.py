"""The label joiner: scores and labels in, outcomes out."""
