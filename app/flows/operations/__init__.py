"""Events, alerts, counts, processes and housekeeping."""
