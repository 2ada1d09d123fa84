"""The scorer's way to the model server; it needs grpcio and protobuf, not KServe."""
