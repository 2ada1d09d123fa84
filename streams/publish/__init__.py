"""Events and labels onto the bus in event-time order, at any speed, in lockstep with the loop where asked."""
