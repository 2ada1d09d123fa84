"""A broker in memory: what of Kafka a processor leans on, without sockets, threads or waits."""
