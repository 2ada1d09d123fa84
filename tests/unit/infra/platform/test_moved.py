"""What ``driftloop status`` says of records that were moved."""

from __future__ import annotations

import pytest

from infra.platform.moved import Moved, advice, summed

PAGE = """
# TYPE driftloop_moved_records counter
driftloop_moved_records_total{topic="transactions",came_by="crc32",client="unnamed"} 60.0
driftloop_moved_records_total{topic="transactions",came_by="no key",client="pos"} 15.0
driftloop_moved_records_total{topic="labels",came_by="another key",client="unnamed"} 0.0
# TYPE driftloop_records_consumed counter
driftloop_records_consumed_total{processor="scorer",topic="transactions"} 175.0
driftloop_records_consumed_total{processor="archive",topic="transactions"} 1000.0
driftloop_records_consumed_total{processor="label-joiner",topic="labels"} 9.0
"""


def test_moved_records_are_told_by_topic_way_and_client() -> None:
    assert summed(PAGE) == {
        "transactions": Moved(records=75, share=0.75, came_by={"crc32": 60, "no key": 15}, clients={"unnamed": 60, "pos": 15})
    }
    assert summed("") == {}


def test_several_pages_add_up() -> None:
    assert summed(PAGE + PAGE)["transactions"]["records"] == 150
    assert summed(PAGE + PAGE)["transactions"]["share"] == 0.75


@pytest.mark.parametrize(
    ("share", "first", "ending"),
    [
        (0.75, "crc32", ": let producers spread keys by murmur2, see docs/producers.md"),
        (0.75, "no key", ": let producers key records by the subject, see docs/producers.md"),
        (0.5, "crc32", "(60 by crc32, 15 with another key)"),
    ],
)
def test_the_way_out_is_told_where_most_records_come_elsewhere(share: float, first: str, ending: str) -> None:
    line = advice("transactions", Moved(records=75, share=share, came_by={first: 60, "another key": 15}, clients={}), "murmur2")
    assert line.startswith(f"transactions: 75 records ({share:.0%}) were moved to their subject's partition (60 ")
    assert line.endswith(ending)
