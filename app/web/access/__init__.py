"""Numbers and their auth values, keys, sessions and the audit trail."""
