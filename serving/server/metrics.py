"""The model server's Prometheus metrics. Predictions are counted in transactions, rejected requests in requests."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

PREDICTIONS = Counter("driftloop_predictions_total", "Transactions scored.", ["version", "role"])
FAILED = Counter("driftloop_failed_predictions_total", "Transactions whose model failed.", ["version", "role"])
SECONDS = Histogram(
    "driftloop_predict_seconds",
    "Time in the model for one call.",
    ["version"],
    buckets=(0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0),
)
LOADED = Gauge("driftloop_model_loaded_info", "1 for each version that is loaded.", ["version", "role"])
GENERATION = Gauge("driftloop_serving_generation", "Generation of the serving document that is served.")
SERVING_ERROR = Gauge("driftloop_serving_error", "1 while the serving document asks for what cannot be served.")
SHADOW_PREDICTIONS = Gauge("driftloop_shadow_predictions", "Transactions scored by the shadow since it was loaded.", ["version"])
REJECTED = Counter("driftloop_rejected_requests_total", "Requests that got no scores.", ["reason"])
