"""The pipeline as Kubeflow Pipelines knows it: the same function runs locally and compiles to IR YAML.

Component bodies are shipped as source, so they only import and call ``retrain.pipeline.steps``. No ``from __future__ import
annotations`` here: KFP reads the annotations as objects.
"""

from kfp import dsl
from kfp.dsl import Dataset, Input, Model, Output

from features.base.broker_names import PREFIX, PREFIX_VARIABLE
from features.base.domain_name import DOMAIN_VARIABLE, serving

#: The image of a cluster's steps: this project with its ``retrain`` extra, and Java.
IMAGE = "driftloop/retrain-python:latest"


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def prepare(settings_dir: str, run_dir: str, request: str, rows: Output[Dataset], profiles: Output[Dataset]) -> None:
    from retrain.pipeline import steps

    steps.prepare(settings_dir, run_dir, request, rows.path, profiles.path)


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def features(settings_dir: str, run_dir: str, rows: Input[Dataset], profiles: Input[Dataset], table: Output[Dataset]) -> None:
    from retrain.pipeline import steps

    steps.features(settings_dir, run_dir, rows.path, profiles.path, table.path)


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def train(settings_dir: str, run_dir: str, table: Input[Dataset], onnx_model: Output[Model]) -> None:
    from retrain.pipeline import steps

    steps.train(settings_dir, run_dir, table.path, onnx_model.path)


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def evaluate(
    settings_dir: str, run_dir: str, table: Input[Dataset], onnx_model: Input[Model], evaluation: Output[Dataset]
) -> None:
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


def _fresh(task: dsl.PipelineTask, retries: int = 0) -> dsl.PipelineTask:
    """Keep the task off KFP's cache: the archive, the store and the serving document change behind equal inputs."""
    task.set_caching_options(False)
    # A step is a process of its own, and has the domain and the names of whoever compiled it.
    task.set_env_variable(DOMAIN_VARIABLE, serving())
    if PREFIX:
        task.set_env_variable(PREFIX_VARIABLE, PREFIX)
    return task.set_retry(num_retries=retries, backoff_duration="2s") if retries else task


@dsl.pipeline(name="driftloop-train", description="Learn from the archive, judge against the champion, register and roll out.")
def training_pipeline(settings_dir: str, run_dir: str, request: str) -> None:
    """``settings_dir`` and ``run_dir`` are folders that every step sees; ``request`` is a RetrainRequest as JSON.

    Steps that talk to something outside (archive, Feast, store) are retried; a training that failed would fail again.
    """
    where = {"settings_dir": settings_dir, "run_dir": run_dir}
    prepared = _fresh(prepare(**where, request=request))
    joined = _fresh(features(**where, rows=prepared.outputs["rows"], profiles=prepared.outputs["profiles"]), retries=1)
    table = joined.outputs["table"]
    model = _fresh(train(**where, table=table)).outputs["onnx_model"]
    evaluation = _fresh(evaluate(**where, table=table, onnx_model=model)).outputs["evaluation"]
    verdict = _fresh(gate(**where, evaluation=evaluation))
    judged = {"verdict": verdict.output, "table": table, "onnx_model": model, "evaluation": evaluation}
    registered = _fresh(register(**where, request=request, **judged), retries=1)
    # The local runner reads the condition as text and takes what it cannot read as false, so the gate answers one plain word.
    with dsl.If(verdict.output == "passed", name="passed"):
        _fresh(deploy(**where, version=registered.output), retries=2)
