"""The one feature transform, for stream and batch: columns in, vectors out."""
