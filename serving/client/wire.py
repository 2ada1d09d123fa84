"""The few messages of the Open Inference Protocol (V2, gRPC) that a client needs, and how vectors and scores travel in them.

The messages are described here and kept in a descriptor pool of their own. So the scorer needs grpcio and protobuf but not KServe
(whose import takes seconds), and a process that imports KServe too meets no conflict between two descriptions of the same names.
On the wire they are the same: field numbers and types are the protocol's.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from features.base.model_client import Prediction

METHOD = "/inference.GRPCInferenceService/ModelInfer"
_PACKAGE = "inference"
_Field = descriptor_pb2.FieldDescriptorProto
#: onnxruntime's sigmoid gives 1.0000001 (one float32 above 1) for some inputs: rounding is no malformed score.
_ROUNDING = 1e-6
_ELSE = "is another server at that address?"


class MalformedResponse(ValueError):
    """The server's answer does not hold what the protocol says."""


def encode_request(model: str, vectors: NDArray[np.float32], schema: str, event_time_ms: int) -> bytes:
    """Return a ModelInferRequest with ``vectors`` [n, k] as the raw FP32 tensor ``features``."""
    rows = np.ascontiguousarray(vectors, dtype="<f4")
    request = _ModelInferRequest(model_name=model, raw_input_contents=[rows.tobytes()])
    request.inputs.add(name="features", datatype="FP32", shape=rows.shape)
    request.parameters["schema"].string_param = schema
    request.parameters["event_time_ms"].int64_param = event_time_ms
    return bytes(request.SerializeToString())


def decode_response(data: bytes) -> Prediction:
    """Read scores, threshold and versions from a ModelInferResponse. Raises MalformedResponse.

    Scores are in [0, 1]: what rounding puts beside it is put back. Shadow scores that are not in it, or are not
    as many, count as a shadow that failed, as at the server (``serving.server.engine``): they are left out, and leave the
    champion's as they are.
    """
    try:
        response = _ModelInferResponse.FromString(data)
    except DecodeError as error:
        raise MalformedResponse(f"the model server's answer is no ModelInferResponse ({error}); {_ELSE}") from error
    raw = dict(zip((output.name for output in response.outputs), response.raw_output_contents, strict=False))
    if "score" not in raw:
        raise MalformedResponse(f"the model server's answer has no raw output 'score'; {_ELSE}")
    given = _floats("score", raw["score"])
    scores = _scores(given)
    if scores is None:
        raise MalformedResponse(
            f"'score' in the model server's answer holds values that are not in [0, 1] (from {given.min()} to {given.max()});"
            f" driftloop rollback --reason TEXT serves the version before, or {_ELSE}"
        )
    shadow = _floats("shadow_score", raw["shadow_score"]) if "shadow_score" in raw else None
    shadow_version = response.parameters["shadow_version"].string_param if "shadow_version" in response.parameters else ""
    try:
        threshold = float(response.parameters["threshold"].string_param)
    except ValueError as error:
        raise MalformedResponse(f"the model server's answer has no 'threshold'; {_ELSE}") from error
    if not math.isfinite(threshold):
        raise MalformedResponse(f"'threshold' in the model server's answer is {threshold}; mend its model's manifest, or {_ELSE}")
    return Prediction(
        scores=scores,
        threshold=threshold,
        version=response.model_version,
        shadow_scores=None if shadow is None or len(shadow) != len(scores) else _scores(shadow),
        shadow_version=shadow_version or None,
    )


def _floats(name: str, raw: bytes) -> NDArray[np.float32]:
    """Read the raw FP32 output ``name``. Raises MalformedResponse."""
    if len(raw) % 4:
        raise MalformedResponse(f"'{name}' in the model server's answer has {len(raw)} bytes, not 4 a value; {_ELSE}")
    return np.frombuffer(raw, dtype="<f4")


def _scores(values: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """Return ``values`` in [0, 1]; None where they are not (NaN is not) by more than rounding."""
    # Two passes over a batch and no copy: a NaN makes both ends NaN, and no comparison with it holds.
    least, most = float(values.min(initial=0.0)), float(values.max(initial=0.0))
    if not (least >= -_ROUNDING and most <= 1.0 + _ROUNDING):
        return None
    return values if least >= 0.0 and most <= 1.0 else values.clip(0.0, 1.0)


def _field(name: str, number: int, kind: int, *, repeated: bool = False, type_name: str = "", oneof: bool = False) -> Any:
    label = _Field.LABEL_REPEATED if repeated else _Field.LABEL_OPTIONAL
    field = _Field(name=name, number=number, type=kind, label=label)
    if type_name:
        field.type_name = f".{_PACKAGE}.{type_name}"
    if oneof:
        field.oneof_index = 0
    return field


def _parameters(owner: str, number: int) -> tuple[Any, Any]:
    """Return a ``map<string, InferParameter> parameters`` field of ``owner``, and the entry message that a map is on the wire."""
    entry = descriptor_pb2.DescriptorProto(name="ParametersEntry")
    entry.options.map_entry = True
    entry.field.extend(
        [_field("key", 1, _Field.TYPE_STRING), _field("value", 2, _Field.TYPE_MESSAGE, type_name="InferParameter")],
    )
    field = _field("parameters", number, _Field.TYPE_MESSAGE, repeated=True, type_name=f"{owner}.ParametersEntry")
    return field, entry


def _message(name: str, tensor: str, numbers: dict[str, int]) -> Any:
    """Describe a request or response: model name and version, parameters, tensor descriptions and their raw contents."""
    parameters, entry = _parameters(name, numbers["parameters"])
    described = descriptor_pb2.DescriptorProto(name=tensor)
    described.field.extend(
        [
            _field("name", 1, _Field.TYPE_STRING),
            _field("datatype", 2, _Field.TYPE_STRING),
            _field("shape", 3, _Field.TYPE_INT64, repeated=True),
        ]
    )
    message = descriptor_pb2.DescriptorProto(name=name, nested_type=[described, entry])
    tensors, raw = ("inputs", "raw_input_contents") if tensor == "InferInputTensor" else ("outputs", "raw_output_contents")
    message.field.extend(
        [
            _field("model_name", 1, _Field.TYPE_STRING),
            _field("model_version", 2, _Field.TYPE_STRING),
            parameters,
            _field(tensors, numbers["tensors"], _Field.TYPE_MESSAGE, repeated=True, type_name=f"{name}.{tensor}"),
            _field(raw, numbers["raw"], _Field.TYPE_BYTES, repeated=True),
        ]
    )
    return message


def _build() -> tuple[Any, Any]:
    parameter = descriptor_pb2.DescriptorProto(name="InferParameter")
    parameter.oneof_decl.add(name="parameter_choice")
    parameter.field.extend(
        [
            _field("bool_param", 1, _Field.TYPE_BOOL, oneof=True),
            _field("int64_param", 2, _Field.TYPE_INT64, oneof=True),
            _field("string_param", 3, _Field.TYPE_STRING, oneof=True),
        ]
    )
    file = descriptor_pb2.FileDescriptorProto(name="driftloop/open_inference.proto", package=_PACKAGE, syntax="proto3")
    file.message_type.extend(
        [
            parameter,
            _message("ModelInferRequest", "InferInputTensor", {"parameters": 4, "tensors": 5, "raw": 7}),
            _message("ModelInferResponse", "InferOutputTensor", {"parameters": 4, "tensors": 5, "raw": 6}),
        ]
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    names = ("ModelInferRequest", "ModelInferResponse")
    request, response = (message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}")) for name in names)
    return request, response


_ModelInferRequest, _ModelInferResponse = _build()
