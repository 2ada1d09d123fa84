"""The pipeline for a cluster."""

from __future__ import annotations

from pathlib import Path


def write(path: Path) -> None:
    """Compile the pipeline to IR YAML at ``path`` (``.yaml`` or ``.yml``; ValueError otherwise)."""
    if path.suffix not in (".yaml", ".yml"):
        raise ValueError("the file's name must end in .yaml or .yml")
    from kfp import compiler

    from retrain.pipeline.definition import training_pipeline

    compiler.Compiler().compile(training_pipeline, str(path))
