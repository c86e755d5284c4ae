"""What every api module may use."""
