"""The servers that are not ours: Kafka, Redis, and the Java and jars that they need."""
