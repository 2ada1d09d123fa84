"""V2 bodies on REST: JSON alone, or JSON and then raw tensors (Triton's binary tensor extension, header ``LENGTH``)."""

from __future__ import annotations

from typing import Any

import orjson
from kserve import InferRequest, InferResponse
from kserve.protocol.infer_type import InferInput, RequestedOutput, to_http_parameters

from serving.server import json_body
from serving.server.errors import InvalidVectors, NotSupported

#: The header that says how many bytes of the body are JSON; what follows are tensors.
LENGTH = "Inference-Header-Content-Length"
#: Parameters that ask for what this server has not; to ignore them would answer another question.
_REFUSED = {
    "shared_memory_region": "shared memory is not read; send the tensor in the body",
    "classification": "classes are not served; read the scores",
}


def read(body: bytes, length: str | None, model: str, version: str | None = None) -> InferRequest:
    """Return the request in ``body``; ``length`` is the value of the header ``LENGTH``, None where it was not sent.

    Without it the whole body is JSON, whatever its media type. Raises InvalidVectors and NotSupported, which name the field.
    """
    end = len(body) if length is None else _json_length(length, len(body))
    described = json_body.parsed(body[:end])
    if not isinstance(described, dict):
        raise InvalidVectors("the body must be a JSON object with 'inputs'")
    parameters = _object(described, "parameters", "")
    inputs = []
    for index, tensor in enumerate(_objects(described, "inputs", required=True)):
        made, end = _input(tensor, f"inputs.{index}", body, end, packed=length is not None)
        inputs.append(made)
    if end != len(body):
        raise InvalidVectors(
            f"{len(body) - end} bytes follow the last tensor; 'binary_data_size' of each must say how many are its own"
        )
    return InferRequest(
        model_name=model,
        infer_inputs=inputs,
        request_id=_text(described, "id", "") if described.get("id") is not None else None,
        parameters=parameters,
        request_outputs=[_output(output, f"outputs.{i}") for i, output in enumerate(_objects(described, "outputs"))] or None,
        model_version=version,
    )


def write(response: InferResponse, request: InferRequest) -> tuple[bytes, int | None]:
    """Return the body that answers ``request``, and how many bytes of it are JSON; None where all are."""
    everywhere = bool((request.parameters or {}).get("binary_data_output", False))
    wishes = {output.name: output.binary_data for output in request.request_outputs or ()}
    described, raw = [], []
    for output in response.outputs:
        wish = wishes.get(output.name)
        tensor: dict[str, Any] = {"name": output.name, "shape": output.shape, "datatype": output.datatype}
        if everywhere if wish is None else wish:
            raw.append(output.data.astype("<f4", copy=False).tobytes())
            tensor["parameters"] = {"binary_data_size": len(raw[-1])}
        else:
            tensor["data"] = output.data.tolist()
        described.append(tensor)
    head = {"id": response.id} if request.id else {}
    head |= {"model_name": response.model_name, "model_version": response.model_version, "outputs": described}
    if response.parameters:
        head["parameters"] = to_http_parameters(response.parameters)
    text = orjson.dumps(head)
    return b"".join([text, *raw]), len(text) if raw else None


def _json_length(length: str, size: int) -> int:
    if not (length.isascii() and length.isdigit()) or not 0 < int(length) <= size:
        raise InvalidVectors(
            f"the header {LENGTH} is '{length[:40]}', the body has {size} bytes; "
            "it must say how many of them are the JSON that describes the tensors, or be left out where all are"
        )
    return int(length)


def _input(tensor: dict[str, Any], place: str, body: bytes, end: int, *, packed: bool) -> tuple[InferInput, int]:
    """Return the tensor, and where in ``body`` the next one's bytes begin."""
    shape = tensor.get("shape")
    if not isinstance(shape, list) or not all(type(size) is int for size in shape):
        raise InvalidVectors(f"field '{place}.shape' of the body must be a list of whole numbers")
    parameters = _object(tensor, "parameters", f"{place}.")
    _refuse(parameters)
    made = InferInput(_text(tensor, "name", f"{place}."), shape, _text(tensor, "datatype", f"{place}."), parameters=parameters)
    if tensor.get("data") is not None:
        if not isinstance(tensor["data"], list):
            raise InvalidVectors(f"field '{place}.data' of the body must be a list of numbers")
        made.data = tensor["data"]
        return made, end
    size = parameters.get("binary_data_size")
    if size is None:
        raise InvalidVectors(
            f"field '{place}.data' of the body is missing; send the numbers, or their bytes and 'binary_data_size'"
        )
    if not packed:
        raise InvalidVectors(f"field '{place}' of the body is raw; the header {LENGTH} must say how many bytes are JSON")
    if type(size) is not int or not 0 <= size <= len(body) - end:
        message = f"field '{place}.parameters.binary_data_size' is {size}, and {len(body) - end} bytes are left in the body"
        raise InvalidVectors(f"{message}; send all bytes of the tensors after the JSON")
    made._raw_data = body[end : end + size]
    return made, end + size


def _output(output: dict[str, Any], place: str) -> RequestedOutput:
    parameters = _object(output, "parameters", f"{place}.")
    _refuse(parameters)
    if not isinstance(parameters.get("binary_data", False), bool):
        raise InvalidVectors(f"field '{place}.parameters.binary_data' of the body must be true or false")
    return RequestedOutput(_text(output, "name", f"{place}."), parameters)


def _refuse(parameters: dict[str, Any]) -> None:
    for name, cure in _REFUSED.items():
        if name in parameters:
            raise NotSupported(f"parameter '{name}': {cure}")


def _objects(owner: dict[str, Any], name: str, *, required: bool = False) -> list[dict[str, Any]]:
    value = owner.get(name)
    if value is None and not required:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise InvalidVectors(f"field '{name}' of the body must be a list of objects")
    return value


def _object(owner: dict[str, Any], name: str, place: str) -> dict[str, Any]:
    value = owner.get(name)
    if value is not None and not isinstance(value, dict):
        raise InvalidVectors(f"field '{place}{name}' of the body must be an object")
    return value or {}


def _text(owner: dict[str, Any], name: str, place: str) -> str:
    value = owner.get(name)
    if not isinstance(value, str):
        raise InvalidVectors(f"field '{place}{name}' of the body must be a text")
    return value
