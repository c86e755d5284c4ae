"""What every command may use."""
