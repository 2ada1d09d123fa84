"""Events in JSON, Avro and Protobuf: their size, and what it takes to decode them."""
