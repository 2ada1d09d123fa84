"""``python -m features.skew FOLDER DAY``: check one day of the platform in FOLDER and print the report as one line of JSON.

A process of its own, with low priority: what a check takes in memory and processor is given back, and holds nobody up.
"""

from __future__ import annotations

import os
import sys

import msgspec


def main(folder: str, day: str) -> None:
    os.nice(10)
    from features.base.settings import load
    from features.skew.check import check

    report = check(load(folder), int(day))
    sys.stdout.write(msgspec.json.encode(report).decode() + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
