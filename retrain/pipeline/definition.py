"""The pipeline as Kubeflow Pipelines knows it: the same function runs locally and compiles to IR YAML.

Component bodies are shipped as source, so they only import and call ``retrain.pipeline.steps``. No ``from __future__ import
annotations`` here: KFP reads the annotations as objects.
"""

from kfp import dsl
from kfp.dsl import Dataset, Input, Model, Output

#: The image of a cluster's steps: this project with its ``retrain`` extra, and Java.
IMAGE = "driftloop/retrain-python:latest"


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def prepare(settings_dir: str, run_dir: str, request: str, rows: Output[Dataset], profiles: Output[Dataset]):
    from retrain.pipeline import steps

    steps.prepare(settings_dir, run_dir, request, rows.path, profiles.path)


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def features(settings_dir: str, run_dir: str, rows: Input[Dataset], profiles: Input[Dataset], table: Output[Dataset]):
    from retrain.pipeline import steps

    steps.features(settings_dir, run_dir, rows.path, profiles.path, table.path)


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def train(settings_dir: str, run_dir: str, table: Input[Dataset], onnx_model: Output[Model]):
    from retrain.pipeline import steps

    steps.train(settings_dir, run_dir, table.path, onnx_model.path)


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def evaluate(settings_dir: str, run_dir: str, table: Input[Dataset], onnx_model: Input[Model], evaluation: Output[Dataset]):
    from retrain.pipeline import steps

    steps.evaluate(settings_dir, run_dir, table.path, onnx_model.path, evaluation.path)


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def gate(settings_dir: str, run_dir: str, evaluation: Input[Dataset]) -> str:
    from retrain.pipeline import steps

    return steps.gate(settings_dir, run_dir, evaluation.path)


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def register(
    settings_dir: str,
    run_dir: str,
    request: str,
    verdict: str,
    table: Input[Dataset],
    onnx_model: Input[Model],
    evaluation: Input[Dataset],
) -> str:
    from retrain.pipeline import steps

    return steps.register(settings_dir, run_dir, request, verdict, table.path, onnx_model.path, evaluation.path)


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def deploy(settings_dir: str, run_dir: str, version: str) -> str:
    from retrain.pipeline import steps

    return steps.deploy(settings_dir, run_dir, version)


@dsl.pipeline(name="driftloop-train", description="Learn from the archive, judge against the champion, register and roll out.")
def training_pipeline(settings_dir: str, run_dir: str, request: str):
    """``settings_dir`` and ``run_dir`` are folders that every step sees; ``request`` is a RetrainRequest as JSON.

    Steps that talk to something outside (archive, Feast, store) are retried; a training that failed would fail again.
    """
    where = {"settings_dir": settings_dir, "run_dir": run_dir}
    prepared = prepare(**where, request=request)
    joined = features(**where, rows=prepared.outputs["rows"], profiles=prepared.outputs["profiles"])
    joined.set_retry(num_retries=1, backoff_duration="2s")
    table = joined.outputs["table"]
    model = train(**where, table=table).outputs["onnx_model"]
    evaluation = evaluate(**where, table=table, onnx_model=model).outputs["evaluation"]
    verdict = gate(**where, evaluation=evaluation)
    registered = register(**where, request=request, verdict=verdict.output, table=table, onnx_model=model, evaluation=evaluation)
    registered.set_retry(num_retries=1, backoff_duration="1s")
    # The local runner reads the condition as text and takes what it cannot read as false, so the gate answers one plain word.
    with dsl.If(verdict.output == "passed", name="passed"):
        deploy(**where, version=registered.output).set_retry(num_retries=2, backoff_duration="1s")
