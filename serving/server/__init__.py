"""The model server: KServe's V1 and V2 over REST and gRPC."""
