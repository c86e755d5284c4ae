"""Where an erasure looks."""
