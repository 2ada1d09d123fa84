"""What every drift detector keeps to. One file a detector, which gives its ``CONTRACT``; it is picked up by being here."""
