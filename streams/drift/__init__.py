"""The drift monitor: looks at scores and outcomes by windows of event time, and asks for retraining when it must."""
