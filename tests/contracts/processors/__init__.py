"""What every processor's core keeps to. One file a processor, which gives its ``CONTRACT``; it is picked up by being here."""
