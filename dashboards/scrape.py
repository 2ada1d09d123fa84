"""The scrape config for Prometheus: ``python -m dashboards.scrape`` writes prometheus.yml into the platform's folder.

Each process is one target with the label ``process``, its name under the supervisor.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from features.base.settings import Settings, SettingsError, load

JOB = "driftloop"
#: Labels that every series has once Prometheus has scraped it.
LABELS = frozenset({"job", "instance", "process"})


def scrape_config(settings: Settings) -> str:
    """Return prometheus.yml for the processes in ``settings.ports.metrics``.

    Raises SettingsError while they have no ports, which is before the first ``driftloop up``.
    """
    ports = sorted(settings.ports.metrics.items())
    targets = {name: f"{settings.network.host('metrics', name)}:{port}" for name, port in ports if port}
    if not targets:
        raise SettingsError(f"ports.metrics in {settings.dir} is empty; run driftloop up first, it picks the ports")
    lines = [
        "# Written by python -m dashboards.scrape from the ports and hosts in driftloop.toml.",
        "global:",
        "  # Short: a replay shows a day of events in a second.",
        "  scrape_interval: 2s",
        "scrape_configs:",
        f"  - job_name: {JOB}",
        "    static_configs:",
    ]
    for name, address in targets.items():
        # JSON strings are YAML strings, whatever is in the name.
        lines += [f"      - targets: [{json.dumps(address)}]", f"        labels: {{process: {json.dumps(name)}}}"]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the file and print its path; exit code 2 where there is no platform."""
    parser = argparse.ArgumentParser(prog="python -m dashboards.scrape", description=__doc__)
    parser.add_argument("--dir", default=None, help="the platform's folder (default: DRIFTLOOP_DIR, else .driftloop)")
    try:
        settings = load(parser.parse_args(arguments).dir)
        text = scrape_config(settings)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    path = settings.dir / "prometheus.yml"
    path.write_text(text)
    sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
