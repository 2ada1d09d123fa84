"""The training pipeline: steps, their KFP definition, and how it runs on this machine."""
