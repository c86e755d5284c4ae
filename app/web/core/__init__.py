"""What every web module may use."""
