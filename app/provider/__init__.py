"""All knowledge of NetMessenger's wire, and of nothing else."""
