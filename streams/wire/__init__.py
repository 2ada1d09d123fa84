"""Values in the formats of a schema registry: Avro, Protobuf and JSON Schema, read as the same events as plain JSON."""
