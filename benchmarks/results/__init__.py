"""Statistics, findings and their tables."""
