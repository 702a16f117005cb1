"""What processes, Redis and the target used and logged."""
