"""The loops: each runs one flow again and again (flows/operations/processes/supervise.py)."""
