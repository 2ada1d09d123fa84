"""What stock clients send to the model server by default, and what they get: the table in docs/serving.md, row by row.

``tests/integration/serving/test_clients.py`` sends each row's request, by the client itself where it can be had.
"""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """A client, what of its requests is not like all others', and what it gets."""

    client: str
    sends: str
    gets: str


SCORES = "scores"
ROWS = {
    "curl_form": Row("curl `-d`", "`application/x-www-form-urlencoded`", SCORES),
    "curl_packed": Row(
        "curl `--compressed`, body by `gzip`", "`Content-Encoding: gzip`, `Accept-Encoding`", "scores, packed from 1 KB on"
    ),
    "curl_expect": Row(
        "curl, 1 MB and more", "`Expect: 100-continue`", "`100 Continue`, scores; 401 and 413 before the body is sent"
    ),
    "curl_head": Row("curl `-I`, load balancers", "`HEAD` of what `GET` gives, without a token for health", "the head"),
    "curl_http2": Row("curl `--http2`", "an offer of HTTP/2 (`Upgrade: h2c`)", "scores by HTTP/1.1"),
    "curl_multipart": Row("curl `-F`", "`multipart/form-data`", "400: the body is not JSON"),
    "java": Row("Java `HttpClient`", "no media type; an offer of HTTP/2 with each request", "scores by HTTP/1.1"),
    "node": Row("Node `fetch`", "`text/plain;charset=UTF-8`", SCORES),
    "python": Row("Python requests, httpx (`json=`)", "`application/json`, `Accept-Encoding`, one connection kept", SCORES),
    "http_client": Row(
        "Python `http.client`, Go `net/http`", "no media type; a body in chunks where its length is not known", SCORES
    ),
    "windows": Row("PowerShell, .NET", "`text/plain; charset=utf-8`, a byte order mark, UTF-16", SCORES),
    "v1_plain": Row("all of these to V1", "the same", SCORES),
    "mlserver": Row("MLServer's types as JSON", "`null` for fields that are not set, `parameters.content_type`", SCORES),
    "cloudevents": Row(
        "CloudEvents (V1)",
        "`ce-` headers, or `application/cloudevents+json`",
        "scores, as a CloudEvent where it was one as a whole",
    ),
    "kserve_v1": Row(
        "KServe `InferenceRESTClient`, V1", "readiness of server and model without a token; `instances`", "readiness, scores"
    ),
    "kserve_v2": Row(
        "KServe `InferenceRESTClient`, V2", "JSON, or raw tensors with `Inference-Header-Content-Length`", "readiness, scores"
    ),
    "kserve_grpc": Row("KServe `InferenceGRPCClient`", "raw tensors, or numbers", "readiness, scores"),
    "triton_http": Row(
        "tritonclient.http",
        "no media type; raw tensors both ways by default (`binary_data_output`), JSON by wish",
        "readiness, metadata, index, scores",
    ),
    "triton_http_packed": Row("tritonclient.http", "gzip or deflate, both ways", SCORES),
    "triton_http_version": Row(
        "tritonclient.http", "`/versions/V/` in the path", "scores of the champion; 404 for another version"
    ),
    "triton_http_fp64": Row("tritonclient.http, MLServer", "`FP64`, numpy's own", "400: it must be FP32"),
    "triton_http_more": Row(
        "tritonclient.http",
        "configuration, statistics, load, classes",
        "501 with the way out; 404 for logging, tracing, shared memory",
    ),
    "triton_grpc": Row("tritonclient.grpc", "raw tensors, gzip", "readiness, metadata, scores; NOT_FOUND for another version"),
    "triton_grpc_more": Row("tritonclient.grpc", "configuration, index, statistics, load, streams", "UNIMPLEMENTED"),
    "probes": Row("Kubernetes, Prometheus", "health, readiness and metrics without a token", "the state; metrics packed"),
    "no_http": Row("HTTP/2 without an offer, TLS to a plain port", "no HTTP/1.1", "400: speak HTTP/1.1"),
}


def markdown() -> str:
    """Return the table."""
    lines = ["| client | sends | gets |", "| --- | --- | --- |"]
    lines += [f"| {row.client} | {row.sends} | {row.gets} |" for row in ROWS.values()]
    return "\n".join(lines) + "\n"
