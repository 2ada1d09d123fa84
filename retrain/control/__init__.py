"""The control plane: takes retrain requests, runs the pipeline, rolls models out and says so in ``model-events``."""
