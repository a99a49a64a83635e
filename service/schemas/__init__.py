"""What goes over the wire: the request of an experiment and the answers."""
