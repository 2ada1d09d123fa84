"""The groups that the lockstep waits for."""

from __future__ import annotations

from streams.publish.groups import GROUPS
from streams.topics import RETRAIN_REQUESTS
from streams.topology import TOPOLOGY


def test_the_lockstep_watches_what_every_processor_on_kafka_reads_and_not_what_it_follows() -> None:
    assert {group: set(names) for group, names in GROUPS.items()} == {
        processor.name: set(processor.reads) for processor in TOPOLOGY if processor.guarantee != "no stream"
    }
    assert GROUPS["control"] == (RETRAIN_REQUESTS,)


def test_groups_come_in_the_order_in_which_records_reach_them() -> None:
    order = list(GROUPS)
    assert order[0] == "scorer"
    assert order.index("label-joiner") < order.index("counterpart-risk") < order.index("drift-monitor") < order.index("control")
