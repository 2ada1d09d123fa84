"""What all rooms stand on: events, settings, compiling, files, and how a client is told who it is."""
