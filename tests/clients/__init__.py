"""The description of the interface, linted and compiled as clients in several languages."""
