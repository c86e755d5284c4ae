"""Speed as ratios of one run on one machine; nothing here asserts a time. `make bench` runs it."""
