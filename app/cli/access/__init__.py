"""Who may do what: numbers, keys, members, signing in."""
