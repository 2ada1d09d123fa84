"""What runs a processor: the core's contract, the shell around it, its state's coming and going."""
