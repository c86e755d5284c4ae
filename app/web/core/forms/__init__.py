"""Forms: what was typed, kept and submitted once."""
