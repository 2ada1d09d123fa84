"""What every model family keeps to: each module of ``retrain.training.families``, by being there."""
