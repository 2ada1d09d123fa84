"""What the harness itself knows of the log, without the scorer's code: which records are bad, and which payments are new."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Set

from tests.chaos.moves import at_home
from tests.chaos.outputs import Log
from tests.chaos.unbroken import Unbroken


def disagreements(log: Log, malformed: Set[int], unbroken: Unbroken) -> list[str]:
    """Where the unbroken run took other records than these: of each id the first, unless it is ``malformed`` (hashes of values).
    One that comes again with another body is bad. Of a record that was moved, what lies in its card's partition counts. Within a
    run no id comes again beyond the horizon of duplicates."""
    wrong = []
    bad: Counter[tuple[int, int]] = Counter()
    for partition, records in at_home(log, malformed).items():
        first: dict[str, bytes] = {}
        for record in records:
            value = record.value or b""
            if hash(value) in malformed:
                bad[partition, record.offset] += 1
                continue
            event_id = json.loads(value)["transaction_id"]
            if first.setdefault(event_id, value) != value:
                bad[partition, record.offset] += 1
        taken = [score.event.event_id for score in unbroken.scores[partition]]
        if taken != list(first):
            wrong.append(f"payments published in partition {partition}: {len(first)}; the unbroken run took others: {len(taken)}")
    if bad != unbroken.bad:
        wrong.append(f"bad records published: {bad.total()}; the unbroken run refused others: {unbroken.bad.total()}")
    return wrong
