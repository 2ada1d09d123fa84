"""Triton's own clients as a process: tritonclient and KServe describe the same messages, and one process cannot hold both.

``python -m tests.integration.serving.triton_calls REST GRPC TOKEN WIDTH`` calls both sides (host:port) with rows of zeros, and prints
a JSON object: for each call what it gave, or ``{"refused": sentence}``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import tritonclient.grpc as over_grpc
import tritonclient.http as over_http
from tritonclient.utils import InferenceServerException

MODEL = "fraud"


def outcome(call: Callable[[], Any]) -> Any:
    """Return what the call gives, or how it was refused."""
    try:
        return call()
    except InferenceServerException as error:
        return {"refused": f"{error.status()}: {error.message()}"}


def http_calls(address: str, headers: dict[str, str], rows: Any) -> dict[str, Callable[[], Any]]:
    client = over_http.InferenceServerClient(address)

    def infer(*, binary: bool = True, datatype: str = "FP32", outputs: Any = None, **options: Any) -> Any:
        tensor = over_http.InferInput("features", list(rows.shape), datatype)
        tensor.set_data_from_numpy(rows.astype(np.float64) if datatype == "FP64" else rows, binary_data=binary)
        result = client.infer(MODEL, [tensor], headers=headers, outputs=outputs, **options)
        return {"scores": result.as_numpy("score").tolist(), "said": result.get_response()}

    json_score = over_http.InferRequestedOutput("score", binary_data=False)
    return {
        "live": client.is_server_live,
        "ready": client.is_server_ready,
        "model_ready": lambda: client.is_model_ready(MODEL),
        "version_ready": lambda: client.is_model_ready(MODEL, "v1"),
        "other_version_ready": lambda: client.is_model_ready(MODEL, "7"),
        "server": lambda: client.get_server_metadata(headers=headers),
        "model": lambda: client.get_model_metadata(MODEL, headers=headers),
        "index": lambda: client.get_model_repository_index(headers=headers),
        "binary": infer,
        "json": lambda: infer(binary=False),
        "json_score": lambda: infer(outputs=[json_score]),
        "all_json": lambda: infer(binary=False, outputs=[json_score]),
        "gzip": lambda: infer(request_compression_algorithm="gzip", response_compression_algorithm="gzip"),
        "deflate": lambda: infer(request_compression_algorithm="deflate", response_compression_algorithm="deflate"),
        "version": lambda: infer(model_version="v1", request_id="a-request", priority=1, timeout=1_000_000),
        "other_version": lambda: infer(model_version="7"),
        "fp64": lambda: infer(datatype="FP64"),
        "classes": lambda: infer(outputs=[over_http.InferRequestedOutput("score", class_count=2)]),
        "no_token": lambda: client.get_model_metadata(MODEL),
        "other_model": lambda: client.get_model_metadata("other", headers=headers),
        "config": lambda: client.get_model_config(MODEL, headers=headers),
        "statistics": lambda: client.get_inference_statistics(MODEL, headers=headers),
        "log_settings": lambda: client.get_log_settings(headers=headers),
        "load": lambda: client.load_model(MODEL, headers=headers),
        "shared_memory": lambda: client.get_system_shared_memory_status(headers=headers),
    }


def grpc_calls(address: str, headers: dict[str, str], rows: Any) -> dict[str, Callable[[], Any]]:
    client = over_grpc.InferenceServerClient(address)

    def infer(*, datatype: str = "FP32", **options: Any) -> Any:
        tensor = over_grpc.InferInput("features", list(rows.shape), datatype)
        tensor.set_data_from_numpy(rows.astype(np.float64) if datatype == "FP64" else rows)
        result = client.infer(MODEL, [tensor], headers=headers, **options)
        return {"scores": result.as_numpy("score").tolist(), "said": result.get_response(as_json=True)}

    def stream() -> Any:
        answers: list[Any] = []
        tensor = over_grpc.InferInput("features", list(rows.shape), "FP32")
        tensor.set_data_from_numpy(rows)
        client.start_stream(lambda result, error: answers.append(error), headers=headers)
        client.async_stream_infer(MODEL, [tensor])
        client.stop_stream()
        raise answers[0]

    return {
        "live": client.is_server_live,
        "ready": client.is_server_ready,
        "model_ready": lambda: client.is_model_ready(MODEL),
        "version_ready": lambda: client.is_model_ready(MODEL, "v1"),
        "other_version_ready": lambda: client.is_model_ready(MODEL, "7"),
        "server": lambda: client.get_server_metadata(headers=headers, as_json=True),
        "model": lambda: client.get_model_metadata(MODEL, headers=headers, as_json=True),
        "infer": infer,
        "gzip": lambda: infer(compression_algorithm="gzip"),
        "version": lambda: infer(model_version="v1", request_id="a-request"),
        "other_version": lambda: infer(model_version="7"),
        "fp64": lambda: infer(datatype="FP64"),
        "no_token": lambda: client.get_model_metadata(MODEL),
        "other_model": lambda: client.get_model_metadata("other", headers=headers),
        "config": lambda: client.get_model_config(MODEL, headers=headers),
        "index": lambda: client.get_model_repository_index(headers=headers),
        "statistics": lambda: client.get_inference_statistics(MODEL, headers=headers),
        "load": lambda: client.load_model(MODEL, headers=headers),
        "stream": stream,
    }


def main() -> None:
    rest, rpc, token, width = sys.argv[1:5]
    # Enough rows that answers are long enough to be packed.
    rows = np.zeros((300, int(width)), dtype=np.float32)
    bearer = {"authorization": f"Bearer {token}"}
    calls = {"http": http_calls(rest, bearer, rows), "grpc": grpc_calls(rpc, bearer, rows)}
    print(json.dumps({side: {name: outcome(call) for name, call in named.items()} for side, named in calls.items()}))  # noqa: T201


if __name__ == "__main__":
    main()
