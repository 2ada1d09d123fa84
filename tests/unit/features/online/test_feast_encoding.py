"""Our encoding against Feast's own protobufs and key functions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as how
from hypothesis import strategies as st

from features.feast_repo.store import import_feast
from features.online import feast_encoding as encoding


@pytest.fixture(scope="module", autouse=True)
def _feast() -> None:
    import_feast()


def test_keys_and_fields_are_feasts() -> None:
    from feast.infra.online_stores.helpers import _mmh3, _redis_key
    from feast.protos.feast.types.EntityKey_pb2 import EntityKey
    from feast.protos.feast.types.Value_pb2 import Value

    key = EntityKey(join_keys=["card_id"], entity_values=[Value(string_val="Karte-ß")])
    assert encoding.redis_key(encoding.key_prefix("card_id"), "Karte-ß") == _redis_key("driftloop", key)
    assert encoding.feature_field("card_activity", "vector") == _mmh3("card_activity:vector")


@how(deadline=None)
@given(st.integers(0, 4_102_444_800_000))
def test_timestamps_are_protobufs(ms: int) -> None:
    from google.protobuf.timestamp_pb2 import Timestamp

    expected = Timestamp(seconds=ms // 1000, nanos=ms % 1000 * 1_000_000).SerializeToString()
    assert encoding.timestamp(ms) == expected
    assert encoding.read_timestamp(expected) == ms


@how(deadline=None)
@given(st.lists(st.floats(width=32, allow_nan=False), max_size=200), st.lists(st.integers(-(2**63), 2**63 - 1), max_size=200))
def test_lists_are_feasts(numbers: list[float], integers: list[int]) -> None:
    from feast.protos.feast.types.Value_pb2 import FloatList, Int64List, Value

    array = np.array(numbers, dtype=np.float32)
    data = encoding.floats(array)
    assert data == Value(float_list_val=FloatList(val=numbers)).SerializeToString()
    read = encoding.read_floats(data)
    assert read is not None
    assert read.tolist() == array.tolist()

    whole = np.array(integers, dtype=np.int64)
    data = encoding.integers(whole)
    assert data == Value(int64_list_val=Int64List(val=integers)).SerializeToString()


@how(deadline=None)
@given(st.text(max_size=300), st.floats(width=32, allow_nan=False), st.integers(0, 2**63 - 1))
def test_scalars_are_feasts(text: str, number: float, integer: int) -> None:
    from feast.protos.feast.types.Value_pb2 import Value

    assert encoding.text(text) == Value(string_val=text).SerializeToString()
    assert encoding.read_text(encoding.text(text)) == text
    assert encoding.number(number) == Value(float_val=number).SerializeToString()
    assert encoding.read_number(encoding.number(number)) == number
    assert encoding.integer(integer) == Value(int64_val=integer).SerializeToString()


def test_null_is_empty() -> None:
    assert encoding.number(None) == b""
    assert encoding.read_number(b"") is None
    assert encoding.read_text(None) is None
    assert encoding.read_floats(None) is None
    assert encoding.read_timestamp(None) == 0
