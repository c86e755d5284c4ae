"""What is true of texts whatever carries them: no I/O, no clock, no framework."""
