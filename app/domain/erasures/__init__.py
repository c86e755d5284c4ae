"""What an erased number looks like wherever it is written."""
