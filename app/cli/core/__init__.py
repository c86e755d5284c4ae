"""What every cli module may use."""
