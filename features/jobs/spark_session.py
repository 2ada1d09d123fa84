"""A Spark session: by default one that fits beside the rest of the loop on a laptop."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from features.base import environment
from features.base.domain_name import DOMAIN_VARIABLE, serving
from features.jobs.java import spark_java_home

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

LOCAL = "local[2]"
DRIVER_MEMORY = "1g"


def spark_session(
    name: str,
    cache: Path,
    scratch: Path,
    driver_memory: str = DRIVER_MEMORY,
    master: str = LOCAL,
    partitions: int = 4,
    jars: Sequence[Path] = (),
) -> SparkSession:
    """Start Spark at ``master`` (local: two threads), its scratch files under ``scratch``, its Java wrapper (where one is needed)
    under ``cache``.

    ``partitions``: of a shuffle. ``jars``: what else is on the class path, Kafka's connector for instance. Times are UTC. Raises
    features.jobs.java.JavaNotFound.
    """
    local = master.startswith("local")
    # A cluster's own configuration is how Spark finds it; for one on this machine it is another installation's.
    environment.drop((*environment.SPARK, *environment.JAVA, *(environment.CLUSTER if local else ())))
    if local and sys.platform == "linux":
        # Java reads file names and writes numbers by it.
        os.environ["LC_ALL"] = environment.LOCALE
    os.environ["JAVA_HOME"] = str(spark_java_home(cache))
    scratch.mkdir(parents=True, exist_ok=True)
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master(master).appName(name)
    options = {
        "spark.driver.memory": driver_memory,
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.shuffle.partitions": str(partitions),
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.parquet.compression.codec": "zstd",
        "spark.local.dir": str(scratch),
        "spark.sql.warehouse.dir": str(scratch / "warehouse"),
        f"spark.executorEnv.{DOMAIN_VARIABLE}": serving(),
    }
    if jars:
        options["spark.jars"] = ",".join(map(str, jars))
    if local:
        os.environ["PYSPARK_PYTHON"] = sys.executable
        os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
        options |= {
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            # Start-up and small shuffles dominate at this size; the JIT's second tier never pays off in a run of seconds.
            "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Duser.timezone=UTC",
        }
    for key, value in options.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    return session


def jvm_usage(session: SparkSession) -> tuple[float, float]:
    """Return CPU seconds and peak resident memory (MB) of the session's Java so far; zeros where the system does not tell."""
    process = getattr(session.sparkContext._gateway, "proc", None)
    try:
        folder = Path(f"/proc/{process.pid}") if process is not None else Path("/nowhere")
        lines = (folder / "status").read_text().splitlines()
        # After the command's name in parentheses, user and system time are the 12th and 13th fields.
        ticks = (folder / "stat").read_text().rpartition(")")[2].split()[11:13]
    except OSError:
        return 0.0, 0.0
    peak = next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK"), peak
