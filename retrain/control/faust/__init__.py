"""Faust and aiokafka: everything that touches their insides."""
