"""Training without a pipeline around it: split, model, export, evaluation and gate."""
