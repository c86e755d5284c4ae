"""The processes of a service: their loops, leases, time and metrics."""
