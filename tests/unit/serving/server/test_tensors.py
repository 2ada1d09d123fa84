"""V2 bodies, JSON and raw: which are read, and which field of a bad one is named."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from kserve import InferOutput, InferResponse

from serving.server import tensors
from serving.server.errors import InvalidVectors, NotSupported

ROWS = np.arange(6, dtype="<f4").reshape(2, 3)
TENSOR: dict[str, Any] = {"name": "features", "shape": [2, 3], "datatype": "FP32"}
SCORES = np.array([0.25, 0.5], dtype=np.float32)


def raw(tensor: dict[str, Any] | None = None, tail: bytes = ROWS.tobytes(), **more: Any) -> tuple[bytes, str]:
    described = TENSOR | {"parameters": {"binary_data_size": ROWS.nbytes}} if tensor is None else tensor
    head = json.dumps({"inputs": [described], **more}).encode()
    return head + tail, str(len(head))


def test_json_alone_and_raw_tensors_are_the_same_request() -> None:
    plain = tensors.read(json.dumps({"inputs": [TENSOR | {"data": ROWS.ravel().tolist()}]}).encode(), None, "fraud")
    packed = tensors.read(*raw(), "fraud", "v1")
    assert plain.inputs[0].data == ROWS.ravel().tolist()
    assert packed.inputs[0]._raw_data == ROWS.tobytes()
    assert (plain.model_version, packed.model_version) == (None, "v1")
    assert (plain.inputs[0].name, plain.inputs[0].shape, plain.inputs[0].datatype) == ("features", [2, 3], "FP32")


def test_tensors_are_taken_in_their_order() -> None:
    second = TENSOR | {"name": "more", "shape": [1], "parameters": {"binary_data_size": 4}}
    head = json.dumps({"inputs": [TENSOR | {"parameters": {"binary_data_size": ROWS.nbytes}}, second]}).encode()
    read = tensors.read(head + ROWS.tobytes() + b"last", str(len(head)), "fraud")
    assert [tensor._raw_data for tensor in read.inputs] == [ROWS.tobytes(), b"last"]


@pytest.mark.parametrize("length", ["", "-1", "0", "x", "1e2", "99999", "²"])
def test_a_length_that_is_none_names_the_header(length: str) -> None:
    with pytest.raises(InvalidVectors, match="the header Inference-Header-Content-Length is"):
        tensors.read(raw()[0], length, "fraud")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (raw(tail=b""), "binary_data_size' is 24, and 0 bytes are left"),
        (raw(tail=ROWS.tobytes() + b"x"), "1 bytes follow the last tensor"),
        (raw(TENSOR | {"parameters": {"binary_data_size": -1}}), "binary_data_size' is -1"),
        (raw(TENSOR | {"parameters": {"binary_data_size": "24"}}), "binary_data_size' is 24"),
        (raw(TENSOR), "'inputs.0.data' of the body is missing"),
        ((raw()[0], None), "the body is not JSON"),
        ((b"[]", None), "must be a JSON object"),
        ((b"{}", None), "'inputs' of the body"),
        ((b'{"inputs": [5]}', None), "'inputs' of the body"),
        ((b'{"inputs": [{}]}', None), "'inputs.0.shape' of the body"),
        ((b'{"inputs": [], "id": 5}', None), "'id' of the body"),
        ((b'{"inputs": [], "outputs": [{"name": 5}]}', None), "'outputs.0.name' of the body"),
        (
            (json.dumps({"inputs": [TENSOR | {"parameters": {"binary_data_size": 24}}]}).encode(), None),
            "the header Inference-Header",
        ),
    ],
)
def test_a_bad_body_names_its_field(body: tuple[bytes, str | None], words: str) -> None:
    with pytest.raises(InvalidVectors, match=words):
        tensors.read(*body, "fraud")


@pytest.mark.parametrize(
    "more",
    [
        {"outputs": [{"name": "score", "parameters": {"classification": 2}}]},
        {"outputs": [{"name": "score", "parameters": {"shared_memory_region": "r"}}]},
    ],
)
def test_what_is_not_served_is_not_ignored(more: dict[str, Any]) -> None:
    with pytest.raises(NotSupported, match="parameter '"):
        tensors.read(*raw(**more), "fraud")


@pytest.mark.parametrize(
    ("more", "is_raw"),
    [
        ({}, False),
        ({"parameters": {"binary_data_output": True}}, True),
        (
            {"parameters": {"binary_data_output": True}, "outputs": [{"name": "score", "parameters": {"binary_data": False}}]},
            False,
        ),
        ({"outputs": [{"name": "score", "parameters": {"binary_data": True}}]}, True),
        ({"outputs": [{"name": "score"}]}, False),
    ],
)
def test_outputs_are_raw_where_the_client_wants_them_so(more: dict[str, Any], is_raw: bool) -> None:
    request = tensors.read(*raw(**more), "fraud")
    output = InferOutput("score", [2], "FP32", SCORES)
    body, length = tensors.write(InferResponse("", "fraud", [output], "v1", parameters={"threshold": "0.3"}), request)
    described = json.loads(body[:length])
    assert (described["model_name"], described["model_version"]) == ("fraud", "v1")
    assert described["parameters"] == {"threshold": "0.3"}
    assert "id" not in described
    if is_raw:
        assert described["outputs"] == [
            {"name": "score", "shape": [2], "datatype": "FP32", "parameters": {"binary_data_size": 8}}
        ]
        assert body[length:] == SCORES.tobytes()
    else:
        assert length is None
        assert described["outputs"][0]["data"] == SCORES.tolist()
