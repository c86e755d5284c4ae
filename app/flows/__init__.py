"""What the product does, one verb a file; the flows own the transactions."""
