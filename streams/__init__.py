"""Topics, schemas, Kafka plumbing, and the processors that transactions flow through."""
