"""The JSON Schemas of all topics, written from the event structs."""
