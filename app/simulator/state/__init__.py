"""What the simulated provider keeps in memory."""
