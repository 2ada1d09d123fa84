"""The pipeline's steps: plain functions over paths, one process each. The thinking is in ``retrain.training`` and ``features``.

Each takes the platform's folder and the run's folder, reads and writes files, and leaves a record (``record.recorded``).
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from features.archive import mirror
from features.archive.locks import reading
from features.base.events import RetrainRequest
from features.base.settings import Settings, load
from features.catalogue.vector import vector_schema
from retrain.pipeline import report
from retrain.pipeline.step_record import recorded
from retrain.pipeline.window import NotEnoughData, Window, newest_event_ms, window

if TYPE_CHECKING:
    from retrain.training.dataset import Dataset
    from retrain.training.split import Split

WINDOW_FILE = "window.json"
PASSED = "passed"
REJECTED = "rejected"


def prepare(settings_dir: str, run_dir: str, request: str, rows: str, profiles: str) -> None:
    """Write, by Spark, labelled rows of the window to ``rows``, daily owner profiles to ``profiles`` (folders of Parquet)."""
    with recorded(Path(run_dir), "prepare") as details:
        settings = load(settings_dir)
        from features.jobs import labelled_rows as job
        from features.jobs.daily_profiles import daily_profiles
        from features.jobs.spark_session import jvm_usage, spark_session

        asked = msgspec.json.decode(request, type=RetrainRequest)
        archive = mirror.archive(settings)
        for kind in ("scores", "outcomes"):
            newest = newest_event_ms(archive / kind)
            details[f"newest_{kind}_ms"] = newest
        chosen = window(asked, settings, details["newest_scores_ms"])
        spark = spark_session("driftloop-prepare", settings.dir / "cache", Path(run_dir) / "spark")
        locks = ExitStack()
        try:
            locks.enter_context(reading(archive))
            archived = spark.read.schema(job.SCORES).parquet(str(archive / "scores"))
            scores = job.clean_scores(archived, vector_schema(settings.features), chosen.end_ms, chosen.exclude)
            outcomes = spark.read.schema(job.OUTCOMES).parquet(str(archive / "outcomes"))
            labelled = job.training_rows(scores, outcomes, chosen.start_ms, chosen.settled_ms, chosen.known_ms)
            labelled.drop("schema").write.parquet(rows, mode="overwrite")
            habits = job.clean_transactions(archived, chosen.end_ms, chosen.exclude)
            daily_profiles(habits, chosen.end_ms).write.parquet(profiles, mode="overwrite")
            details["jvm_cpu_seconds"], details["jvm_peak_mb"] = jvm_usage(spark)
        finally:
            locks.close()
            spark.stop()
        details["window"] = msgspec.to_builtins(chosen)
        (Path(run_dir) / WINDOW_FILE).write_bytes(msgspec.json.encode(chosen))


def features(settings_dir: str, run_dir: str, rows: str, profiles: str, table: str) -> None:
    """Publish the profiles to Feast, then recompute the columns that come from Feast as of each event."""
    with recorded(Path(run_dir), "features") as details:
        settings = load(settings_dir)
        from features.jobs.publish_profiles import publish_profiles
        from retrain.pipeline import training_table
        from retrain.training import dataset

        details["profiles"] = publish_profiles(settings, Path(profiles))
        data = training_table.training_table(settings, Path(rows))
        if len(data) == 0:
            raise NotEnoughData(
                f"no archived score of schema {vector_schema(settings.features)} has a known outcome in the window; "
                "wait for labels to mature"
            )
        details |= {"rows": len(data), "known": int(data.known.sum()), "positives": int(data.positive.sum())}
        dataset.write(data, Path(table))


def train(settings_dir: str, run_dir: str, table: str, model: str) -> None:
    """Train a model of the family, then write it as ONNX with its check."""
    with recorded(Path(run_dir), "train") as details:
        settings = load(settings_dir)
        from retrain.training import families, onnx

        data, split, chosen = _judged(settings, run_dir, table)
        learned = data.take(split.train)
        details |= {"rows": len(learned), "positives": int(learned.positive.sum())}
        options = settings.training
        family = families.load()
        fitted = family.train(
            learned,
            end_ms=chosen.end_ms,
            half_life_days=options.half_life_days,
            delay_ms=settings.labels.delay_ms,
            max_rows=options.max_rows,
            epochs=options.epochs,
            seed=options.seed,
        )
        sample = data.vectors[np.linspace(0, len(data) - 1, min(len(data), 2000)).astype(np.int64)]
        Path(model).parent.mkdir(parents=True, exist_ok=True)
        exported = family.graph(fitted), family.score(fitted, sample)
        details["export_difference"] = onnx.export(*exported, Path(model), sample, vector_schema(settings.features))


def evaluate(settings_dir: str, run_dir: str, table: str, model: str, evaluation: str) -> None:
    """Judge the candidate and the champion, as ONNX, on the same holdout."""
    with recorded(Path(run_dir), "evaluate") as details:
        settings = load(settings_dir)
        data, split, chosen = _judged(settings, run_dir, table)
        judged = report.judge(settings, data.take(split.holdout), Path(model), split.holdout_start_ms, chosen)
        details.update(msgspec.to_builtins(judged))
        Path(evaluation).write_bytes(msgspec.json.format(msgspec.json.encode(judged), indent=2))


def gate(settings_dir: str, run_dir: str, evaluation: str) -> str:
    """Return ``passed`` or ``rejected``."""
    with recorded(Path(run_dir), "gate") as details:
        verdict = report.verdict(load(settings_dir), report.read(Path(evaluation)))
        details |= {"passed": verdict.passed, "reason": verdict.reason}
        return PASSED if verdict.passed else REJECTED


def register(settings_dir: str, run_dir: str, request: str, verdict: str, table: str, model: str, evaluation: str) -> str:
    """Add the version to the model store, rejected ones too; return its name. Twice for one run gives one version."""
    with recorded(Path(run_dir), "register") as details:
        settings = load(settings_dir)
        from retrain.pipeline.register import register_version
        from retrain.training import dataset

        manifest = register_version(
            settings,
            run_id=Path(run_dir).name,
            request=msgspec.json.decode(request, type=RetrainRequest),
            state="registered" if verdict == PASSED else "rejected",
            model=Path(model),
            evaluation=report.read(Path(evaluation)),
            data=dataset.read(Path(table)),
            scratch=Path(run_dir) / "version",
        )
        details |= {"version": manifest.version, "state": manifest.state, "metrics": manifest.metrics}
        return manifest.version


def deploy(settings_dir: str, run_dir: str, version: str) -> str:
    """Write the serving document: ``promoted`` where there is no champion, else ``shadow``."""
    with recorded(Path(run_dir), "deploy") as details:
        from retrain.pipeline.register import deploy_version

        role, previous = deploy_version(load(settings_dir), version)
        details |= {"serving": role, "previous": previous}
        return role


def _judged(settings: Settings, run_dir: str, table: str) -> tuple[Dataset, Split, Window]:
    from retrain.training import dataset, split

    chosen = msgspec.json.decode((Path(run_dir) / WINDOW_FILE).read_bytes(), type=Window)
    data = dataset.read(Path(table))
    options = settings.training
    rows = split.by_time(
        data.event_time_ms, data.subject, data.known, chosen.settled_ms, options.holdout_share, options.holdout_subjects
    )
    return data, rows, chosen
