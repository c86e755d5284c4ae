"""What programs talk to: the forwarding target and the REST interface."""
