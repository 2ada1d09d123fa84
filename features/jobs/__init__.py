"""PySpark jobs over the archive."""
