"""Triton's own clients as a process: tritonclient and KServe describe the same messages, and one process cannot hold both.

``python -m tests.integration.serving.triton_calls REST GRPC TOKEN`` calls both sides (host:port) with ``MANY_ROWS``, and prints
a JSON object: for each call what it gave, or ``{"refused": sentence}``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import tritonclient.grpc as over_grpc
import tritonclient.http as over_http
from tritonclient.utils import InferenceServerException

from tests.integration.serving.process import MANY_ROWS

MODEL = "fraud"


def outcome(call: Callable[[], Any]) -> Any:
    """Return what the call gives, or how it was refused."""
    try:
        return call()
    except InferenceServerException as error:
        return {"refused": f"{error.status()}: {error.message()}"}


def http_calls(address: str, headers: dict[str, str], rows: Any) -> dict[str, Callable[[], Any]]:
    """Each call gets headers of its own: tritonclient writes its length of the JSON into them."""
    client = over_http.InferenceServerClient(address)

    def infer(*, binary: bool = True, datatype: str = "FP32", outputs: Any = None, **options: Any) -> Any:
        tensor = over_http.InferInput("features", list(rows.shape), datatype)
        tensor.set_data_from_numpy(rows.astype(np.float64) if datatype == "FP64" else rows, binary_data=binary)
        result = client.infer(MODEL, [tensor], headers=dict(headers), outputs=outputs, **options)
        return {
            "scores": result.as_numpy("score").tolist(),
            "version": result.get_response()["model_version"],
            "id": result.get_response().get("id"),
        }

    json_score = over_http.InferRequestedOutput("score", binary_data=False)
    return {
        "live": client.is_server_live,
        "ready": client.is_server_ready,
        "model_ready": lambda: client.is_model_ready(MODEL),
        "version_ready": lambda: client.is_model_ready(MODEL, "v1"),
        "other_version_ready": lambda: client.is_model_ready(MODEL, "7"),
        "server": lambda: client.get_server_metadata(headers=dict(headers)),
        "model": lambda: client.get_model_metadata(MODEL, headers=dict(headers)),
        "index": lambda: client.get_model_repository_index(headers=dict(headers)),
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
        "other_model": lambda: client.get_model_metadata("other", headers=dict(headers)),
        "config": lambda: client.get_model_config(MODEL, headers=dict(headers)),
        "statistics": lambda: client.get_inference_statistics(MODEL, headers=dict(headers)),
        "log_settings": lambda: client.get_log_settings(headers=dict(headers)),
        "load": lambda: client.load_model(MODEL, headers=dict(headers)),
        "shared_memory": lambda: client.get_system_shared_memory_status(headers=dict(headers)),
    }


def grpc_calls(address: str, headers: dict[str, str], rows: Any) -> dict[str, Callable[[], Any]]:
    client = over_grpc.InferenceServerClient(address)

    def infer(*, datatype: str = "FP32", **options: Any) -> Any:
        tensor = over_grpc.InferInput("features", list(rows.shape), datatype)
        tensor.set_data_from_numpy(rows.astype(np.float64) if datatype == "FP64" else rows)
        result = client.infer(MODEL, [tensor], headers=dict(headers), **options)
        return {
            "scores": result.as_numpy("score").tolist(),
            "version": result.get_response().model_version,
            "id": result.get_response().id,
        }

    def stream() -> Any:
        answers: list[Any] = []
        tensor = over_grpc.InferInput("features", list(rows.shape), "FP32")
        tensor.set_data_from_numpy(rows)
        client.start_stream(lambda result, error: answers.append(error), headers=dict(headers))
        with suppress(InferenceServerException):
            # The refusal may come before the request is sent, and by the callback in any case.
            client.async_stream_infer(MODEL, [tensor])
        client.stop_stream()
        raise answers[0]

    return {
        "live": client.is_server_live,
        "ready": client.is_server_ready,
        "model_ready": lambda: client.is_model_ready(MODEL),
        "version_ready": lambda: client.is_model_ready(MODEL, "v1"),
        "other_version_ready": lambda: client.is_model_ready(MODEL, "7"),
        "server": lambda: client.get_server_metadata(headers=dict(headers), as_json=True),
        "model": lambda: client.get_model_metadata(MODEL, headers=dict(headers), as_json=True),
        "infer": infer,
        "gzip": lambda: infer(compression_algorithm="gzip"),
        "version": lambda: infer(model_version="v1", request_id="a-request"),
        "other_version": lambda: infer(model_version="7"),
        "fp64": lambda: infer(datatype="FP64"),
        "no_token": lambda: client.get_model_metadata(MODEL),
        "other_model": lambda: client.get_model_metadata("other", headers=dict(headers)),
        "config": lambda: client.get_model_config(MODEL, headers=dict(headers)),
        "index": lambda: client.get_model_repository_index(headers=dict(headers)),
        "statistics": lambda: client.get_inference_statistics(MODEL, headers=dict(headers)),
        "load": lambda: client.load_model(MODEL, headers=dict(headers)),
        "stream": stream,
    }


def main() -> None:
    rest, rpc, token = sys.argv[1:]
    rows = MANY_ROWS
    bearer = {"authorization": f"Bearer {token}"}
    calls = {"http": http_calls(rest, bearer, rows), "grpc": grpc_calls(rpc, bearer, rows)}
    print(json.dumps({side: {name: outcome(call) for name, call in named.items()} for side, named in calls.items()}))  # noqa: T201


if __name__ == "__main__":
    main()
