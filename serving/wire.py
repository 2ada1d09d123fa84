"""The few messages of the Open Inference Protocol (V2, gRPC) that a client needs, and how vectors and scores travel in them.

The messages are described here and kept in a descriptor pool of their own. So the scorer needs grpcio and protobuf but not KServe
(whose import takes seconds), and a process that imports KServe too meets no conflict between two descriptions of the same names.
On the wire they are the same: field numbers and types are the protocol's.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from numpy.typing import NDArray

from features.prediction import Prediction

METHOD = "/inference.GRPCInferenceService/ModelInfer"
_PACKAGE = "inference"
_Field = descriptor_pb2.FieldDescriptorProto


class MalformedResponse(ValueError):
    """The server's answer does not hold what the protocol says."""


def encode_request(model: str, vectors: NDArray[np.float32], schema: str, event_time_ms: int) -> bytes:
    """A ModelInferRequest with ``vectors`` [n, k] as the raw FP32 tensor ``features``."""
    rows = np.ascontiguousarray(vectors, dtype="<f4")
    request = _ModelInferRequest(model_name=model, raw_input_contents=[rows.tobytes()])
    request.inputs.add(name="features", datatype="FP32", shape=rows.shape)
    request.parameters["schema"].string_param = schema
    request.parameters["event_time_ms"].int64_param = event_time_ms
    return bytes(request.SerializeToString())


def decode_response(data: bytes) -> Prediction:
    """Scores, threshold and versions from a ModelInferResponse. Raises MalformedResponse."""
    response = _ModelInferResponse.FromString(data)
    raw = dict(zip((output.name for output in response.outputs), response.raw_output_contents, strict=False))
    if "score" not in raw:
        raise MalformedResponse("the model server's answer has no raw output 'score'; is another server at that address?")
    scores = np.frombuffer(raw["score"], dtype="<f4")
    shadow = raw.get("shadow_score")
    shadow_version = response.parameters["shadow_version"].string_param if "shadow_version" in response.parameters else ""
    try:
        threshold = float(response.parameters["threshold"].string_param)
    except ValueError as error:
        raise MalformedResponse("the model server's answer has no 'threshold'; is another server at that address?") from error
    return Prediction(
        scores=scores,
        threshold=threshold,
        version=response.model_version,
        shadow_scores=None if shadow is None else np.frombuffer(shadow, dtype="<f4"),
        shadow_version=shadow_version or None,
    )


def _field(name: str, number: int, kind: int, *, repeated: bool = False, type_name: str = "", oneof: bool = False) -> Any:
    label = _Field.LABEL_REPEATED if repeated else _Field.LABEL_OPTIONAL
    field = _Field(name=name, number=number, type=kind, label=label)
    if type_name:
        field.type_name = f".{_PACKAGE}.{type_name}"
    if oneof:
        field.oneof_index = 0
    return field


def _parameters(owner: str, number: int) -> tuple[Any, Any]:
    """A ``map<string, InferParameter> parameters`` field of ``owner``, and the entry message that a map is on the wire."""
    entry = descriptor_pb2.DescriptorProto(name="ParametersEntry")
    entry.options.map_entry = True
    entry.field.extend(
        [_field("key", 1, _Field.TYPE_STRING), _field("value", 2, _Field.TYPE_MESSAGE, type_name="InferParameter")],
    )
    field = _field("parameters", number, _Field.TYPE_MESSAGE, repeated=True, type_name=f"{owner}.ParametersEntry")
    return field, entry


def _message(name: str, tensor: str, numbers: dict[str, int]) -> Any:
    """A request or response: model name and version, parameters, tensor descriptions and their raw contents."""
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
