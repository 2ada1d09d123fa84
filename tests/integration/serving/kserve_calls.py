"""KServe's own clients as a process, since the import of KServe takes seconds and reads ``sys.argv``.

``python -m tests.integration.serving.kserve_calls REST GRPC TOKEN`` prints a JSON object: for each call what it gave, or
``{"refused": sentence}``. Calls whose name begins with ``no_token`` send none.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable
from typing import Any

ARGUMENTS, sys.argv[1:] = sys.argv[1:], []

import grpc  # noqa: E402 - after sys.argv is empty, as KServe reads it
import httpx  # noqa: E402
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest  # noqa: E402
from kserve.inference_client import RESTConfig  # noqa: E402

from tests.integration.serving.process import MANY_ROWS  # noqa: E402

MODEL = "fraud"


async def outcome(call: Awaitable[Any]) -> Any:
    try:
        return await call
    except httpx.HTTPStatusError as error:
        return {"refused": str(error)}
    except grpc.RpcError as error:
        return {"refused": f"{error.code()}: {error.details()}"}


def request(rows: Any, how: str) -> InferRequest:
    tensor = InferInput("features", list(rows.shape), "FP32")
    if how == "list":
        tensor.data = rows.ravel().tolist()
    else:
        tensor.set_data_from_numpy(rows, binary_data=how == "raw")
    return InferRequest(MODEL, [tensor])


async def scores(call: Awaitable[Any]) -> Any:
    answer = await call
    return answer["predictions"] if isinstance(answer, dict) else answer.outputs[0].as_numpy().tolist()


async def main(rest: str, rpc: str, token: str) -> None:
    rows = MANY_ROWS
    base, headers = f"http://{rest}", {"Authorization": f"Bearer {token}"}
    v1 = InferenceRESTClient(RESTConfig(protocol="v1"))
    v2 = InferenceRESTClient(RESTConfig(protocol="v2"))
    over_grpc = InferenceGRPCClient(rpc)
    metadata = [("authorization", f"Bearer {token}")]
    calls: dict[str, Awaitable[Any]] = {
        "no_token_v1_live": v1.is_server_live(base),
        "no_token_v1_model_ready": v1.is_model_ready(base, MODEL),
        "v1_infer": scores(v1.infer(base, {"instances": rows.tolist()}, MODEL, headers=headers)),
        "no_token_v1_infer": scores(v1.infer(base, {"instances": rows.tolist()}, MODEL)),
        "no_token_v2_live": v2.is_server_live(base),
        "no_token_v2_ready": v2.is_server_ready(base),
        "no_token_v2_model_ready": v2.is_model_ready(base, MODEL),
        "v2_json": scores(v2.infer(base, request(rows, "json"), MODEL, headers=dict(headers))),
        "v2_raw": scores(v2.infer(base, request(rows, "raw"), MODEL, headers=dict(headers))),
        "v2_other_model": scores(v2.infer(base, request(rows, "json"), "other", headers=dict(headers))),
        "no_token_grpc_live": over_grpc.is_server_live(),
        "no_token_grpc_ready": over_grpc.is_server_ready(),
        "no_token_grpc_model_ready": over_grpc.is_model_ready(MODEL),
        "grpc_raw": scores(over_grpc.infer(request(rows, "raw"), headers=metadata)),
        "grpc_list": scores(over_grpc.infer(request(rows, "list"), headers=metadata)),
        "no_token_grpc_infer": scores(over_grpc.infer(request(rows, "raw"))),
    }
    print(json.dumps({name: await outcome(call) for name, call in calls.items()}))  # noqa: T201
    for client in (v1, v2, over_grpc):
        await client.close()


if __name__ == "__main__":
    asyncio.run(main(*ARGUMENTS))
