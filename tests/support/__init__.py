"""What the tests and the benchmarks stand on: a real PostgreSQL, started and stopped by them."""
