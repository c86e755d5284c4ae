"""What `python -m benchmarks` measures, part by part."""
