"""What a vector is made of: the features, their formulas and the names that formulas use."""
