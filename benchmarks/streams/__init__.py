"""What the streams cost: throughput beside bare Kafka and other libraries, latency, and the scorer's state."""
