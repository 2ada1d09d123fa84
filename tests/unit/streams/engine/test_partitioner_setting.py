"""The setting ``partitioner``."""

from __future__ import annotations

import pytest

from features.base.settings import Settings, SettingsError
from streams import topics
from streams.engine.homes import ANYWHERE, WHERE_THEY_LIE, Homes
from streams.engine.partitioner_setting import homes_of, refuse_another


def test_the_settings_say_where() -> None:
    assert homes_of(Settings()).partitioner == "murmur2"
    homes = homes_of(Settings(partitioner="crc32", partitions=9))
    assert (homes.partitioner, homes.partitions, homes.code) == ("crc32", 9, 2)


def test_another_partitioner_than_the_histories_lie_by_is_refused_with_the_way_out() -> None:
    homes = Homes("crc32", 4)
    refuse_another(homes, [ANYWHERE, homes.code], topics.EVENTS)
    refuse_another(WHERE_THEY_LIE, [ANYWHERE], topics.EVENTS)
    with pytest.raises(SettingsError, match=r"is 'crc32', and transactions is spread by 'murmur2'.*--partitioner crc32"):
        refuse_another(homes, [ANYWHERE, 1], topics.EVENTS)
